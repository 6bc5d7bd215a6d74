package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// go doc shows every exported name of a public package with what it does. The
// documentation of a name begins with the name; that of constants, variables and
// fields may also stand above their group or behind them.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	seen := 0
	for _, path := range goFiles(t) {
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		if strings.HasSuffix(path, "_test.go") || !public(filepath.ToSlash(rel)) {
			continue
		}
		seen++
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, at := range undocumented(t, rel, string(text)) {
			t.Error(at)
		}
	}
	require.NotZero(t, seen)
}

// public says whether a file belongs to a package that others can import. The
// commands under bench and the tests of nested modules are not such packages.
func public(rel string) bool {
	top, _, nested := strings.Cut(rel, "/")
	return nested && !strings.Contains("/"+rel, "/bench/") && top != "tools" && top != "docs" && !strings.Contains("/"+rel, "/internal/") && !strings.Contains("/"+rel, "/integration/")
}

// undocumented returns where a file declares exported names without saying what
// they are.
func undocumented(t *testing.T, name, src string) (found []string) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	if f.Name.Name == "main" {
		return nil
	}
	report := func(n ast.Node, what, why string) {
		p := fset.Position(n.Pos())
		found = append(found, fmt.Sprintf("%s:%d: %s %s", p.Filename, p.Line, what, why))
	}
	check := func(n ast.Node, id *ast.Ident, doc *ast.CommentGroup) {
		switch {
		case !id.IsExported(), id.Name == "Error", id.Name == "Unwrap":
			// what errors do is known
		case strings.TrimSpace(doc.Text()) == "":
			report(n, id.Name, "has no documentation")
		case !beginsWith(doc.Text(), id.Name):
			report(n, id.Name, fmt.Sprintf("has documentation that does not begin with its name: %q", firstLine(doc.Text())))
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
				check(d, d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					doc := s.Doc
					if doc == nil && !d.Lparen.IsValid() {
						doc = d.Doc
					}
					check(s, s.Name, doc)
					if s.Name.IsExported() {
						members(fset, s.Type, report, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, id := range s.Names {
						if id.IsExported() && s.Doc.Text()+s.Comment.Text()+d.Doc.Text() == "" {
							report(s, id.Name, "has no documentation")
						}
					}
				}
			}
		}
	}
	return found
}

// members reports exported fields and interface methods without documentation.
// The comment above a field also serves those that follow it line by line.
func members(fset *token.FileSet, typ ast.Expr, report func(n ast.Node, what, why string), of string) {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return
	}
	served := 0 // the line up to which the last comment serves
	for _, f := range list.List {
		line := fset.Position(f.Pos()).Line
		if f.Doc.Text() != "" || line == served+1 {
			served = fset.Position(f.End()).Line
		}
		for _, id := range f.Names {
			if id.IsExported() && served < line && f.Comment.Text() == "" {
				report(f, of+"."+id.Name, "has no documentation")
			}
		}
	}
}

// receiver returns the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func beginsWith(doc, name string) bool {
	for _, article := range []string{"", "A ", "An ", "The ", "Deprecated: "} {
		if rest, ok := strings.CutPrefix(doc, article); ok && (strings.HasPrefix(rest, name) || article == "Deprecated: ") {
			return true
		}
	}
	return false
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func TestTheDocumentationRule(t *testing.T) {
	for src, want := range map[string]int{
		"// F does.\nfunc F() {}": 0,
		"func F() {}":             1,
		"// does.\nfunc F() {}":   1,
		"func f() {}":             0,
		"// A T is.\ntype T struct{\nX int // is\nY int // is\n}":      0,
		"// A T is.\ntype T struct{\n// X and Y are.\nX int\nY int\n}": 0,
		"// A T is.\ntype T struct{\n// X is.\nX int\n\nY int\n}":      1,
		"type T int\nfunc (T) Error() string":                          1,
		"// T is.\ntype T struct{ X, Y int }":                          2,
		"// T is.\ntype T struct{ x int }":                             0,
		"// T is.\ntype T interface{ M() }":                            1,
		"type T int":                                                   1,
		"// types\ntype (\nT int\n)":                                   1,
		"type t int\nfunc (t) M() {}":                                  0,
		"// T is.\ntype T[K any] int\nfunc (*T[K]) M() {}":             1,
		"// Kinds.\nconst (\nA = 1\nB = 2\n)":                          0,
		"const A = 1":                                                  1,
		"var A, B = 1, 2 // both":                                      0,
	} {
		if got := undocumented(t, "x.go", "package x\n"+src); len(got) != want {
			t.Errorf("%q: %d found, not %d: %v", src, len(got), want, got)
		}
	}
	for path, want := range map[string]bool{
		"locks/mutex.go": true, "connpool/health/x.go": true, "bench/main.go": false, "internal/rt/x.go": false,
		"connpool/integration/x.go": false, "bench/internal/runner/x.go": false, "jetstream/bench/x.go": false, "x.go": false,
		"docs/code/x.go": false,
	} {
		require.Equal(t, want, public(path), path)
	}
}
