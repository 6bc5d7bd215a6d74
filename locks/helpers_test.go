package locks_test

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// long says whether the stress tests run for minutes instead of seconds.
var long = os.Getenv("POUNDLOCK_LONG") != ""

// scaled is n, fewer in short mode and under the race detector, more if long.
func scaled(n int) int {
	switch {
	case long:
		return 10 * n
	case testing.Short(), locks.RaceEnabled, locks.DebugEnabled:
		return max(n/10, 1)
	}
	return n
}

// within fails the whole run with all stacks if f hangs.
func within(t *testing.T, d time.Duration, f func()) {
	t.Helper()
	if long {
		d *= 50
	}
	dog := time.AfterFunc(d, func() {
		buf := make([]byte, 1<<20)
		panic(t.Name() + " hangs\n" + string(buf[:runtime.Stack(buf, true)]))
	})
	defer dog.Stop()
	f()
}

func withProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// forEachProcs runs f at 1, 2 and 8 Ps.
func forEachProcs(t *testing.T, f func(t *testing.T)) {
	for _, n := range []int{1, 2, 8} {
		t.Run("procs="+strconv.Itoa(n), func(t *testing.T) {
			withProcs(t, n)
			f(t)
		})
	}
}

// modes calls f with a lock in each mode.
func modes(t *testing.T, f func(t *testing.T, rw *locks.RWMutex)) {
	t.Run("word", func(t *testing.T) { f(t, new(locks.RWMutex)) })
	t.Run("striped", func(t *testing.T) {
		rw := new(locks.RWMutex)
		require.True(t, locks.EnableBias(rw))
		f(t, rw)
	})
}

// waitFor polls until ok; for what has no channel to wait on.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("waited too long for ", what)
		}
		runtime.Gosched()
	}
}

// child runs one function of this test binary, by name, in a process of its own
// and returns what it printed.
func child(t *testing.T, name string) (string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "LOCKS_TEST_CHILD="+name)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var children = map[string]func(){}

func TestChild(t *testing.T) {
	name := os.Getenv("LOCKS_TEST_CHILD")
	if name == "" {
		t.Skip("is run by other tests")
	}
	defer func() { recover() }() // must not help
	children[name]()
}
