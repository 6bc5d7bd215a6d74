package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A skipped test says why: in a log of passed tests the message is all there is.
func TestSkippedTestsSayWhy(t *testing.T) {
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, at := range silentSkips(t, path, string(text)) {
			t.Errorf("%s: a skip without a reason", at)
		}
	}
}

// silentSkips returns where a file calls SkipNow, or Skip and Skipf without an
// argument or with an empty one.
func silentSkips(t *testing.T, name, src string) (found []string) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		silent := false
		switch sel.Sel.Name {
		case "SkipNow":
			silent = true
		case "Skip", "Skipf":
			if _, ok := sel.X.(*ast.Ident); !ok {
				return true // another package's method on something else
			}
			silent = len(call.Args) == 0
			if len(call.Args) > 0 {
				lit, ok := call.Args[0].(*ast.BasicLit)
				silent = ok && strings.TrimSpace(strings.Trim(lit.Value, "\"`")) == ""
			}
		}
		if silent {
			p := fset.Position(call.Pos())
			found = append(found, fmt.Sprintf("%s:%d", p.Filename, p.Line))
		}
		return true
	})
	return found
}

func TestTheSkipRule(t *testing.T) {
	for body, want := range map[string]int{
		`t.Skip("needs Linux")`: 0, `t.Skipf("needs %s", os)`: 0, `t.Skip(reason)`: 0,
		`t.SkipNow()`: 1, `t.Skip()`: 1, `t.Skip("")`: 1, "b.Skip(` `)": 1, `filepath.SkipDir()`: 0,
	} {
		src := "package x\nfunc TestX(t *testing.T) { " + body + " }"
		require.Len(t, silentSkips(t, "x_test.go", src), want, body)
	}
}
