package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the repository's directory, two above this package's.
var root = filepath.Join("..", "..")

// goFiles lists the Go files of the repository, nested modules included. It looks
// at each, which also makes go test forget its cached result when one changed: it
// does not see what the go command reads for a test.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"), d.Name() == "go.mod":
			if _, err := os.Stat(path); err != nil {
				return err
			}
			if d.Name() != "go.mod" {
				files = append(files, path)
			}
		}
		return nil
	}))
	return files
}
