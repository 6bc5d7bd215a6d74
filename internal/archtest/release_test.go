package archtest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// released are the nested modules that are tagged with the root, by their directory.
var released = []string{"jetstream", "observe/prometheus", "observe/otel"}

var (
	releaseHeading = regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`)
	ownRequire     = regexp.MustCompile(`(?m)^\s*(?:require )?(` + regexp.QuoteMeta(module) + `\S*) (v\S+)`)
)

// version is the newest release of the changelog.
func version(t *testing.T) string {
	t.Helper()
	goFiles(t)
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	require.NoError(t, err)
	m := releaseHeading.FindSubmatch(text)
	require.NotNil(t, m, "CHANGELOG.md has no release")
	return "v" + string(m[1])
}

// moduleDirs returns the directories of all modules, the root's first.
func moduleDirs(t *testing.T) (dirs []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Name() == "go.mod":
			dirs = append(dirs, filepath.ToSlash(filepath.Dir(path)))
		}
		return nil
	}))
	return dirs
}

// A user's build does not see the replace lines of the nested modules: what they require
// of each other must be what is released with them.
func TestNestedModulesRequireTheReleaseTheyBelongTo(t *testing.T) {
	want, seen := version(t), 0
	for _, dir := range moduleDirs(t) {
		text, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
		require.NoError(t, err)
		for _, m := range ownRequire.FindAllSubmatch(text, -1) {
			seen++
			require.Equal(t, want, string(m[2]), "%s/go.mod requires %s", dir, m[1])
		}
	}
	require.GreaterOrEqual(t, seen, len(released))
}

// A module outside of the repository imports each nested module from a module proxy, as
// after a release.
func TestNestedModulesCanBeUsedFromOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("resolves a module of its own")
	}
	goTool(t)
	v := version(t)
	proxy := t.TempDir()
	for _, dir := range append([]string{"."}, released...) {
		publish(t, proxy, dir, v)
	}
	dir := t.TempDir()
	env := append(os.Environ(), "GOFLAGS=-mod=mod -modcacherw", "GOMODCACHE="+t.TempDir(), "GONOSUMDB="+module, "GOWORK=off")
	cached := "file://" + filepath.ToSlash(filepath.Join(strings.TrimSpace(command(t, dir, nil, "env", "GOMODCACHE")), "cache", "download"))
	others := strings.TrimSpace(command(t, dir, nil, "env", "GOPROXY"))
	env = append(env, "GOPROXY=file://"+filepath.ToSlash(proxy)+","+cached+","+others)
	mod, main := "module example.org/consumer\n\ngo 1.26.0\n", "package main\n\nimport (\n"
	for _, nested := range released {
		mod += fmt.Sprintf("\nrequire %s/%s %s\n", module, nested, v)
		main += fmt.Sprintf("\t_ \"%s/%s\"\n", module, nested)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(main+")\n\nfunc main() {}\n"), 0o600))
	deps := strings.Fields(command(t, dir, env, "list", "-deps", "-f", "{{.ImportPath}}", "."))
	require.Contains(t, deps, module+"/workerpool", "by jetstream")
	require.Contains(t, deps, module+"/observe", "by both of observe's")
	require.Equal(t, v, strings.TrimSpace(command(t, dir, env, "list", "-m", "-f", "{{.Version}}", module)))
}

// command runs the go command in dir.
func command(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && strings.Contains(errs.String(), "dial tcp") {
		t.Skip("the modules are not in the cache, and there is no network")
	}
	require.NoError(t, err, errs.String())
	return string(out)
}

// publish puts the module in root/dir into a module proxy's directory, as version v.
func publish(t *testing.T, proxy, dir, v string) {
	t.Helper()
	path := module
	if dir != "." {
		path += "/" + dir
	}
	at := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	require.NoError(t, os.MkdirAll(at, 0o700))
	mod, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
	require.NoError(t, err)
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	tree := os.DirFS(filepath.Join(root, dir))
	require.NoError(t, fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, nested := fs.Stat(tree, name+"/go.mod")
			if name != "." && (nested == nil || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		w, err := z.Create(path + "@" + v + "/" + name)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}))
	require.NoError(t, z.Close())
	for name, data := range map[string][]byte{
		v + ".mod": mod, v + ".zip": packed.Bytes(), v + ".info": []byte(`{"Version":"` + v + `","Time":"2026-01-01T00:00:00Z"}`),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(at, name), data, 0o600))
	}
}
