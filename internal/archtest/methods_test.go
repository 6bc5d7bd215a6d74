package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostMethods is how many methods a type may have: one with more is several parts.
const mostMethods = 44

// manyMethods are the types that may have more. The map says why.
var manyMethods = map[string]string{
	"locks.RWMutex": "docs/design/locks.md",
}

func TestNoTypeHasTooManyMethods(t *testing.T) {
	methods := map[string]int{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[filepath.ToSlash(dir)+"."+receiver(f.Recv.List[0].Type)]++
			}
		}
	}
	require.Greater(t, len(methods), 100)
	for name, n := range methods {
		if _, known := manyMethods[name]; !known && n > mostMethods {
			t.Errorf("%s has %d methods, more than %d", name, n, mostMethods)
		}
	}
	for name := range manyMethods {
		require.Greater(t, methods[name], mostMethods, "%s is no exception any more", name)
	}
}
