package archtest

import (
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every public package shows its use in examples, and every example runs: one
// without an output is only compiled.
func TestEveryPackageHasExamplesThatRun(t *testing.T) {
	packages := map[string]bool{} // directory
	shown := map[string]int{}     // examples by directory
	for _, path := range goFiles(t) {
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		rel = filepath.ToSlash(rel)
		if !public(rel) {
			continue
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if !strings.HasSuffix(rel, "_test.go") {
			packages[dir] = true
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		ran, still := examples(t, rel, string(text))
		shown[dir] += ran
		for _, name := range still {
			t.Errorf("%s: Example%s has no output, so it never runs", rel, name)
		}
	}
	require.NotEmpty(t, packages)
	for dir := range packages {
		if shown[dir] == 0 {
			t.Errorf("%s has no example that runs", dir)
		}
	}
}

// examples counts the examples of a test file that run, and names the others.
func examples(t *testing.T, name, src string) (run int, still []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
	require.NoError(t, err)
	for _, e := range doc.Examples(f) {
		if e.Output == "" && !e.EmptyOutput {
			still = append(still, e.Name)
		} else {
			run++
		}
	}
	return run, still
}

func TestTheExampleRule(t *testing.T) {
	run, still := examples(t, "x_test.go", `package x
func ExampleA() {
	// Output: 1
}
func ExampleB() {
	// Output:
}
func ExampleC() { c() }
`)
	require.Equal(t, 2, run)
	require.Equal(t, []string{"C"}, still)
}
