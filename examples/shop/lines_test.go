package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lines of code are those that are neither blank nor a comment. The READMEs say what is
// not counted.
func TestTheExamplesAreShort(t *testing.T) {
	for dir, c := range map[string]struct {
		less   int
		beside string
	}{
		"../otlp/pipeline": {less: 400},
		"internal/service": {less: 1500, beside: "natsqueue.go"},
	} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		n := 0
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") || filepath.Base(f) == c.beside {
				continue
			}
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
					n++
				}
			}
		}
		t.Logf("%s: %d lines of code", dir, n)
		require.Less(t, n, c.less, dir)
		require.NotZero(t, n, dir)
	}
}
