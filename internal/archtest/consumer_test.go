package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// older are versions that a user may have, two releases behind the newest. The root
// requires the oldest that its tests pass with, so that importing a package lifts none.
var older = map[string]string{
	"github.com/panjf2000/ants/v2": "v2.11.6",
	"github.com/stretchr/testify":  "v1.11.1",
}

// A module that already uses ants and testify imports a package of poundlock: both
// stay as they are, and nothing that is not the standard library's gets into its build.
func TestAUsersOwnDependenciesStayAsTheyAre(t *testing.T) {
	if testing.Short() {
		t.Skip("resolves a module of its own")
	}
	goTool(t)
	dir := t.TempDir()
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	mod := "module example.org/consumer\n\ngo 1.26.0\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + here + "\n"
	for path, version := range older {
		mod += "\nrequire " + path + " " + version + "\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(`package main

import (
	_ "github.com/panjf2000/ants/v2"
	_ "github.com/poundlock/poundlock/locks"
	_ "github.com/poundlock/poundlock/workerpool"
)

func main() {}
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main_test.go"), []byte("package main\n\nimport _ \"github.com/stretchr/testify/require\"\n"), 0o600))
	env := append(os.Environ(), "GOFLAGS=-mod=mod")
	run := func(args ...string) string { return command(t, dir, env, args...) }
	run("mod", "tidy")
	for path, version := range older {
		require.Equal(t, version, strings.TrimSpace(run("list", "-m", "-f", "{{.Version}}", path)), path)
	}
	for _, path := range strings.Fields(run("list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+"/locks", module+"/workerpool")) {
		require.True(t, strings.HasPrefix(path, module+"/"), path)
	}
}
