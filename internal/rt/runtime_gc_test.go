//go:build gc && go1.26 && !go1.28 && !race && !poundlock_portable

package rt

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// The linker matches names, not types: the runtime that is linked must declare what
// this package declares.
func TestTheRuntimeIsAsDeclared(t *testing.T) {
	dir := filepath.Join(build.Default.GOROOT, "src", "runtime")
	theirs, funcs := linknames(t, dir)
	if len(theirs) == 0 {
		t.Skipf("the toolchain has no source in %s", dir)
	}
	ours, _ := linknames(t, ".")
	for _, name := range []string{"runtime.procPin", "runtime.procUnpin", "runtime.getm", "runtime/pprof.runtime_getProfLabel"} {
		if ours[name] == "" {
			t.Errorf("the test does not see that this package links to %s", name)
		}
	}
	for name, typ := range ours {
		if theirs[name] != typ {
			t.Errorf("%s is declared as %q here, the runtime exports %q", name, typ, theirs[name])
		}
	}
	if f := funcs["ReadMemStats"]; f == nil || !calls(f.Body, "stopTheWorld") {
		t.Error("ReadMemStats does not stop the world: WaitForPinned needs another way")
	}
}

// linknames returns the types of all functions in dir that have a linkname, by the
// name that the linker knows, and all functions by name.
func linknames(t *testing.T, dir string) (linked map[string]string, funcs map[string]*ast.FuncDecl) {
	t.Helper()
	linked, funcs = map[string]string{}, map[string]*ast.FuncDecl{}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		in, err := build.Default.MatchFile(dir, filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		if !in || strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		here := map[string]*ast.FuncDecl{}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				here[fn.Name.Name], funcs[fn.Name.Name] = fn, fn
			}
		}
		for _, g := range f.Comments {
			for _, c := range g.List {
				words := strings.Fields(c.Text)
				if len(words) < 2 || words[0] != "//go:linkname" || here[words[1]] == nil {
					continue
				}
				name := "runtime." + words[1]
				if len(words) == 3 {
					name = words[2]
				}
				fn := here[words[1]].Type
				linked[name] = typesOf(fn.Params) + " " + typesOf(fn.Results)
			}
		}
	}
	return linked, funcs
}

// typesOf returns the types of parameters or results, without their names.
func typesOf(fields *ast.FieldList) string {
	var all []string
	if fields != nil {
		for _, f := range fields.List {
			for range max(1, len(f.Names)) {
				all = append(all, types.ExprString(f.Type))
			}
		}
	}
	return "(" + strings.Join(all, ", ") + ")"
}

func calls(body ast.Node, name string) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			id, ok := c.Fun.(*ast.Ident)
			found = found || ok && id.Name == name
		}
		return true
	})
	return found
}
