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

// noEnum are exported number types that are no lists of names. The map says what they are.
var noEnum = map[string]string{
	"connpool.Sampling": "one in how many",
}

// Who sees a name in a log writes it into a file of settings, and reads JSON back.
func TestConstantsHaveNamesThatAreReadBack(t *testing.T) {
	numbers, methods := map[string]bool{}, map[string]string{}
	for _, path := range goFiles(t) {
		dir, err := filepath.Rel(root, filepath.Dir(path))
		require.NoError(t, err)
		pkg := filepath.ToSlash(dir)
		if strings.HasSuffix(path, "_test.go") || strings.Contains("/"+pkg+"/", "/internal/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		if f.Name.Name == "main" {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil {
					methods[pkg+"."+receiver(d.Recv.List[0].Type)] += d.Name.Name + " "
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					s, ok := s.(*ast.TypeSpec)
					if !ok || !s.Name.IsExported() || s.Assign.IsValid() {
						continue
					}
					if of, ok := s.Type.(*ast.Ident); ok && (strings.HasPrefix(of.Name, "int") || strings.HasPrefix(of.Name, "uint")) {
						numbers[pkg+"."+s.Name.Name] = true
					}
				}
			}
		}
	}
	require.Greater(t, len(numbers), 10)
	for name := range numbers {
		if noEnum[name] != "" {
			continue
		}
		for _, method := range []string{"String", "MarshalText", "UnmarshalText"} {
			require.Contains(t, methods[name], method+" ", name)
		}
	}
	for name := range noEnum {
		require.True(t, numbers[name], "%s is no exception any more", name)
	}
}
