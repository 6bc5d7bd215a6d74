package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/poundlock/poundlock"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Standard   bool
	Deps       []string
}

// list runs go list with the arguments for a target like "linux/amd64" or
// "linux/amd64,race".
func list(t *testing.T, target string, args ...string) []pkg {
	t.Helper()
	goTool(t)
	goFiles(t)
	platform, tags, _ := strings.Cut(target, ",")
	goos, goarch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Standard,Deps", "-tags=" + tags}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		require.NoError(t, err)
		pkgs = append(pkgs, p)
	}
}

func goTool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
}

// layerOf returns the part of the tree that a package of the module belongs to:
// "internal", "compare", or the public package's name; "" for others' packages.
func layerOf(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	if rest == "internal/compare" || strings.HasPrefix(rest, "internal/compare/") {
		return "compare"
	}
	layer, _, _ := strings.Cut(rest, "/")
	return layer
}

// mayImport says whether a package of the module may depend on another package,
// directly or not. Public packages are independent: none imports another. Package
// observe reads whatever has a Stats method and knows none of them; it leaves
// net/http, 3 MB of every binary, to the packages below it.
func mayImport(path, dep string, standard bool) bool {
	from, to := layerOf(path), layerOf(dep)
	switch {
	case path == module+"/observe" && dep == "net/http":
		return false
	case from == "observe" && (dep == "net/http/pprof" || dep == "expvar"):
		return false // put themselves on http.DefaultServeMux
	case standard:
		return true
	case from == "compare":
		return true // measures everything, and others beside
	case to == "internal":
		return true
	default:
		return to != "" && to == from
	}
}

// targets have between them every file that a build constraint chooses.
var targets = []string{
	"linux/amd64", "linux/amd64,race", "linux/amd64,poundlock_portable",
	"linux/386", "darwin/arm64", "windows/amd64", "js/wasm",
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, target := range targets {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			standard := map[string]bool{}
			pkgs := list(t, target, "-deps", "./...")
			for _, p := range pkgs {
				standard[p.ImportPath] = p.Standard
			}
			seen := 0
			for _, p := range pkgs {
				if layerOf(p.ImportPath) == "" {
					continue
				}
				seen++
				for _, dep := range p.Deps {
					if !mayImport(p.ImportPath, dep, standard[dep]) {
						t.Errorf("%s depends on %s", p.ImportPath, dep)
					}
				}
			}
			require.NotZero(t, seen)
		})
	}
}

func TestTheImportRule(t *testing.T) {
	for _, c := range []struct {
		from, to string
		standard bool
		may      bool
	}{
		{module + "/locks", "sync", true, true},
		{module + "/locks", "golang.org/x/sys/cpu", false, false},
		{module + "/locks", module + "/internal/stats", false, true},
		{module + "/connpool/netpool", module + "/connpool", false, true},
		{module + "/locks", module + "/lockfree", false, false},
		{module + "/observe", module + "/locks", false, false},
		{module + "/observe/debug", module + "/connpool", false, false},
		{module + "/locks", module + "/observe", false, false},
		{module + "/observe/debug", module + "/observe", false, true},
		{module + "/observe/debug", "net/http", true, true},
		{module + "/observe", "net/http", true, false},
		{module + "/observe/debug", "net/http/pprof", true, false},
		{module + "/locks", module + "/internal/compare", false, false},
		{module + "/locks", "github.com/panjf2000/ants/v2", false, false},
		{module + "/internal/stats", module + "/locks", false, false},
		{module + "/internal/stats", "github.com/stretchr/testify/require", false, false},
		{module + "/internal/compare/workerpoolbench", "github.com/panjf2000/ants/v2", false, true},
		{module + "/internal/compare/workerpoolbench", module + "/workerpool", false, true},
	} {
		require.Equal(t, c.may, mayImport(c.from, c.to, c.standard), "%s importing %s", c.from, c.to)
	}
}

// allowed are the modules that the root may require, beside golang.org/x. What a
// user of poundlock gets into go.sum and into version selection is this list, so
// it is kept short; a heavier dependency goes into a nested module.
var allowed = []string{
	"github.com/panjf2000/ants/v2", // internal/compare
	"github.com/stretchr/testify",  // tests from here on
	"go.uber.org/goleak",
	"github.com/anishathalye/porcupine",
	"pgregory.net/rapid",
	"github.com/davecgh/go-spew", // of testify
	"github.com/kr/text",
	"github.com/pmezard/go-difflib",
	"gopkg.in/yaml.v3",
}

func TestRootModuleRequiresOnlyWhatItMay(t *testing.T) {
	goTool(t)
	goFiles(t)
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	var mod struct {
		Module  struct{ Path string }
		Require []struct{ Path string }
		Replace []any
	}
	require.NoError(t, json.Unmarshal(out, &mod))
	require.Equal(t, module, mod.Module.Path)
	require.NotEmpty(t, mod.Require)
	require.Empty(t, mod.Replace, "an importer would not get a replacement")
	for _, r := range mod.Require {
		if !slices.Contains(allowed, r.Path) && !strings.HasPrefix(r.Path, "golang.org/x/") {
			t.Errorf("go.mod requires %s", r.Path)
		}
	}
}

func TestThereIsNoWorkspace(t *testing.T) {
	require.NoFileExists(t, filepath.Join(root, "go.work"))
}

// What Go keeps to itself is reached in one place, which has a portable twin of each
// function and says for which versions it was verified: see docs/compatibility.md.
func TestOnlyOnePackageReachesIntoTheRuntime(t *testing.T) {
	seen := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".s":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".s" || reaches.Match(text) {
			if seen++; filepath.Dir(path) != filepath.Join(root, "internal", "rt") {
				t.Errorf("%s reaches into the runtime", path)
			}
		}
		return nil
	}))
	require.NotZero(t, seen)
}

var reaches = regexp.MustCompile(`(?m)^//go:linkname `)
