package locks_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/locks"
)

// TestGoOwnTests runs the tests that Go has for sync.RWMutex and sync.Mutex
// against this package's types. They are copied from GOROOT when the test runs.
func TestGoOwnTests(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles another test binary")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command: ", err)
	}
	root, err := exec.Command(goTool, "env", "GOROOT").Output()
	require.NoError(t, err)
	src := filepath.Join(strings.TrimSpace(string(root)), "src", "sync")
	for _, file := range []string{"rwmutex_test.go", "mutex_test.go"} {
		if _, err := os.Stat(filepath.Join(src, file)); err != nil {
			t.Skipf("GOROOT has no sources: %v", err)
		}
	}

	for _, typ := range []string{"RWMutex", "SpinMutex"} {
		t.Run(typ, func(t *testing.T) {
			// Inside the module, or the copy could not import the package; the
			// leading dot keeps it out of ./...
			dir, err := os.MkdirTemp(".", ".gotests")
			require.NoError(t, err)
			t.Cleanup(func() { os.RemoveAll(dir) })
			adapted := goTestsFor(t, src, typ)
			for file, text := range adapted {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o666))
			}
			args := []string{"test", "-count=1", "-cpu=1,2,4,10", "-timeout=100s"}
			if locks.RaceEnabled {
				args = append(args, "-race")
			}
			if locks.RaceEnabled && !long {
				args = append(args, "-short")
			}
			if tags := buildTags(); tags != "" {
				args = append(args, "-tags="+tags)
			}
			cmd := exec.Command(goTool, append(args, "-v", "./"+filepath.Base(dir))...)
			out, err := cmd.CombinedOutput()
			require.NoErrorf(t, err, "%s", out)
			for _, name := range []string{"TestMutex", "TestMutexMisuse", "TestMutexFairness"} {
				require.Contains(t, string(out), "--- PASS: "+name)
			}
			if typ == "RWMutex" {
				require.Contains(t, string(out), "--- PASS: TestRWMutex")
			}
		})
	}
}

// goTestsFor returns Go's test files, by name, with Mutex being typ.
func goTestsFor(t *testing.T, src, typ string) map[string]string {
	read := func(file string) string {
		b, err := os.ReadFile(filepath.Join(src, file))
		require.NoError(t, err)
		return string(b)
	}
	must := func(s, old, new string) string {
		require.Contains(t, s, old, "Go's test has changed")
		return strings.ReplaceAll(s, old, new)
	}
	files := map[string]string{}

	m := read("mutex_test.go")
	// The semaphore is not ours, and testenv cannot be imported.
	i, j := strings.Index(m, "func HammerSemaphore"), strings.Index(m, "func HammerMutex")
	require.True(t, 0 < i && i < j, "Go's test has changed")
	m = m[:i] + m[j:]
	m = must(m, "\t\"internal/testenv\"\n", "")
	m = must(m, "testenv.Executable(t)", "os.Args[0]")
	m = must(m, ". \"sync\"", ". \"sync_test/sync\"")
	files["mutex_test.go"] = m
	if typ == "RWMutex" {
		files["rwmutex_test.go"] = must(read("rwmutex_test.go"), ". \"sync\"", ". \"sync_test/sync\"")
	} else {
		// The misuse list names RWMutex too.
		i, j := strings.Index(m, "\t{\n\t\t\"RWMutex.Unlock\""), strings.Index(m, "func init()")
		require.True(t, 0 < i && i < j, "Go's test has changed")
		files["mutex_test.go"] = m[:i] + "}\n\n" + m[j:]
	}
	for file, s := range files {
		files[file] = strings.ReplaceAll(s, "\t. \"sync_test/sync\"\n", "")
	}
	files["types_test.go"] = fmt.Sprintf(`package sync_test

import (
	"sync"

	"github.com/poundlock/poundlock/locks"
)

type (
	Mutex   = locks.%s
	RWMutex = locks.RWMutex
	Locker  = sync.Locker
)
`, typ)
	return files
}

func buildTags() string {
	if !rt.Pinned && !locks.RaceEnabled && runtime.Compiler == "gc" {
		return "poundlock_portable"
	}
	return ""
}
