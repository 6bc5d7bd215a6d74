package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A test that sleeps until something should have happened is slow where it
// passes and fails on a slow machine. Tests wait in a synctest bubble, where
// sleeping takes no time, or for an event. Where real time is the subject, the
// line, or the one above, says so:
//
//	time.Sleep(time.Millisecond) // real time: the kernel's timers are under test
//
// Benchmarks and examples are not tests.
const realTime = "// real time: "

func TestTestsDoNotWaitByTheClock(t *testing.T) {
	packages := map[string]map[string]string{} // directory, file, text
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		dir := filepath.Dir(path)
		if packages[dir] == nil {
			packages[dir] = map[string]string{}
		}
		packages[dir][path] = string(text)
	}
	require.NotEmpty(t, packages)
	for _, src := range packages {
		for _, at := range realSleeps(t, src) {
			t.Errorf("%s: time.Sleep in real time: wait for an event or in a synctest bubble, or give the reason in a comment %q", at, realTime+"...")
		}
	}
}

// sleepers finds the calls of time.Sleep in the test files of one package. It
// works on syntax alone: a function runs in a bubble when it is an argument of
// synctest.Test or of a helper here that calls synctest.Test, or when it is
// declared here and nothing but such functions uses it.
type sleepers struct {
	declared map[string]bool
	bubblers map[string]bool  // helpers here that call synctest.Test
	uses     map[string][]use // of the functions declared here
	sleeps   []use            // of time.Sleep
}

// use is a place where a function is used.
type use struct {
	at       token.Pos
	within   string // the declared function around it
	bubbled  bool   // in an argument of synctest.Test
	excepted bool   // by a comment
}

// realSleeps returns where the files of a package, given by name, sleep outside a
// bubble without saying why.
func realSleeps(t *testing.T, src map[string]string) []string {
	fset := token.NewFileSet()
	var files []*ast.File
	s := sleepers{declared: map[string]bool{}, bubblers: map[string]bool{}, uses: map[string][]use{}}
	for _, name := range slices.Sorted(maps.Keys(src)) {
		f, err := parser.ParseFile(fset, name, src[name], parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				s.declared[fn.Name.Name] = true
				if !exempt(fn.Name.Name) && !strings.HasPrefix(fn.Name.Name, "Test") && callsSynctest(fn) {
					s.bubblers[fn.Name.Name] = true
				}
			}
		}
	}
	for _, f := range files {
		s.scan(fset, f)
	}
	inBubble := s.inBubble()
	var found []string
	for _, c := range s.sleeps {
		if !c.bubbled && !c.excepted && !inBubble[c.within] {
			p := fset.Position(c.at)
			found = append(found, fmt.Sprintf("%s:%d", p.Filename, p.Line))
		}
	}
	return found
}

// exempt says whether a function is no test by its name.
func exempt(name string) bool {
	return strings.HasPrefix(name, "Benchmark") || strings.HasPrefix(name, "Example")
}

func (s *sleepers) scan(fset *token.FileSet, f *ast.File) {
	excepted := map[int]bool{} // lines
	for _, g := range f.Comments {
		for _, c := range g.List {
			if reason, ok := strings.CutPrefix(c.Text, realTime); ok && strings.TrimSpace(reason) != "" {
				line := fset.Position(c.Pos()).Line
				excepted[line], excepted[line+1] = true, true
			}
		}
	}
	for _, d := range f.Decls {
		within := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			within = fn.Name.Name
			if fn.Body == nil {
				continue
			}
			s.walk(fn.Body, use{within: within}, fset, excepted)
			continue
		}
		s.walk(d, use{}, fset, excepted)
	}
}

// walk records the uses under n; here is what they have in common.
func (s *sleepers) walk(n ast.Node, here use, fset *token.FileSet, excepted map[int]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if isSelector(n.Fun, "time", "Sleep") {
				u := here
				u.at, u.excepted = n.Pos(), excepted[fset.Position(n.Pos()).Line]
				s.sleeps = append(s.sleeps, u)
			}
			if s.bubbles(n.Fun) {
				inside := here
				inside.bubbled = true
				for _, a := range n.Args {
					s.walk(a, inside, fset, excepted)
				}
				s.walk(n.Fun, here, fset, excepted)
				return false
			}
		case *ast.FuncLit:
			if isBenchmark(n.Type) {
				return false
			}
		case *ast.Ident:
			if s.declared[n.Name] {
				u := here
				u.at = n.Pos()
				s.uses[n.Name] = append(s.uses[n.Name], u)
			}
		}
		return true
	})
}

// bubbles says whether a called function runs its arguments in a bubble.
func (s *sleepers) bubbles(fun ast.Expr) bool {
	if isSelector(fun, "synctest", "Test") {
		return true
	}
	switch f := fun.(type) {
	case *ast.Ident:
		return s.bubblers[f.Name]
	case *ast.SelectorExpr:
		return s.bubblers[f.Sel.Name]
	}
	return false
}

// inBubble returns the declared functions that run in bubbles only, or in none
// of the tests.
func (s *sleepers) inBubble() map[string]bool {
	in := map[string]bool{}
	for name := range s.declared {
		in[name] = exempt(name)
	}
	for changed := true; changed; {
		changed = false
		for name := range s.declared {
			outside := func(u use) bool { return !u.bubbled && u.within != name && !in[u.within] }
			if !in[name] && len(s.uses[name]) > 0 && !slices.ContainsFunc(s.uses[name], outside) {
				in[name], changed = true, true
			}
		}
	}
	return in
}

func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// isBenchmark says whether a function takes a *testing.B.
func isBenchmark(f *ast.FuncType) bool {
	for _, p := range f.Params.List {
		if star, ok := p.Type.(*ast.StarExpr); ok && isSelector(star.X, "testing", "B") {
			return true
		}
	}
	return false
}

func callsSynctest(fn *ast.FuncDecl) (calls bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		calls = calls || ok && isSelector(c.Fun, "synctest", "Test")
		return !calls
	})
	return calls
}

func TestTheSleepRule(t *testing.T) {
	const sleep = "time.Sleep(1)"
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"bare":                     {`func TestX(t *testing.T) { ` + sleep + ` }`, 1},
		"in a bubble":              {`func TestX(t *testing.T) { synctest.Test(t, func(t *testing.T) { go func() { ` + sleep + ` }() }) }`, 0},
		"beside a bubble":          {`func TestX(t *testing.T) { synctest.Test(t, func(t *testing.T) {}); ` + sleep + ` }`, 1},
		"by a helper's bubble":     {`func TestX(t *testing.T) { b(t, func() { ` + sleep + ` }) }; func b(t *testing.T, f func()) { synctest.Test(t, func(*testing.T) { f() }) }`, 0},
		"in a helper of bubbles":   {`func TestX(t *testing.T) { synctest.Test(t, func(t *testing.T) { h() }) }; func h() { ` + sleep + ` }`, 0},
		"in a helper of both":      {`func TestX(t *testing.T) { synctest.Test(t, func(t *testing.T) { h() }); h() }; func h() { ` + sleep + ` }`, 1},
		"in a helper's helper":     {`func TestX(t *testing.T) { synctest.Test(t, func(t *testing.T) { g() }) }; func g() { h() }; func h() { ` + sleep + ` }`, 0},
		"in an unused helper":      {`func h() { ` + sleep + ` }`, 1},
		"as a bubble":              {`func TestX(t *testing.T) { synctest.Test(t, h) }; func h(t *testing.T) { ` + sleep + ` }`, 0},
		"in a method":              {`func TestX(t *testing.T) { var y y; y.h() }; type y int; func (y) h() { ` + sleep + ` }`, 1},
		"in a variable":            {`var f = func() { ` + sleep + ` }`, 1},
		"excepted":                 {"func TestX(t *testing.T) {\n" + sleep + " // real time: a kernel timer\n}", 0},
		"excepted above":           {"func TestX(t *testing.T) {\n// real time: a kernel timer\n" + sleep + "\n}", 0},
		"excepted without reason":  {"func TestX(t *testing.T) {\n" + sleep + " // real time:\n}", 1},
		"excepted two lines above": {"func TestX(t *testing.T) {\n// real time: a kernel timer\n\n" + sleep + "\n}", 1},
		"in a benchmark":           {`func BenchmarkX(b *testing.B) { h() }; func h() { ` + sleep + ` }`, 0},
		"in a benchmark's literal": {`func TestX(t *testing.T) { testing.Benchmark(func(b *testing.B) { ` + sleep + ` }) }`, 0},
		"in an example":            {`func ExampleX() { ` + sleep + ` }`, 0},
		"twice":                    {`func TestX(t *testing.T) { ` + sleep + `; ` + sleep + ` }`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			require.Len(t, realSleeps(t, map[string]string{"x_test.go": "package x\n" + c.body}), c.want)
		})
	}
}
