package locks

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// long says whether the stress tests run for minutes instead of seconds.
var long = os.Getenv("POUNDLOCK_LONG") != ""

// scaled is n, fewer in short mode and under the race detector, more if long.
func scaled(n int) int {
	switch {
	case long:
		return 10 * n
	case testing.Short(), raceEnabled, debugEnabled:
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

// enableBias switches rw to stripes now, if it is not closed, and reports whether
// it did.
//
//go:norace
func enableBias(rw *RWMutex) bool {
	raceDisable()
	defer raceEnable()
	return rw.bias(rw.extend())
}

// disableBias takes the write lock, which counts as a write, and switches rw back
// to the word.
//
//go:norace
func disableBias(rw *RWMutex) {
	raceDisable()
	defer raceEnable()
	rw.lockSlow(nil)
	if rw.load()&biased != 0 {
		rw.unbias(rw.x.Load())
	}
	if s := rw.add(wLock); s&unlockMask != 0 {
		rw.unlockSlow(s, errUnlock)
	}
}

// checkIdle verifies the invariants of a lock that nobody uses.
//
//go:norace
func checkIdle(t *testing.T, rw *RWMutex) {
	t.Helper()
	raceDisable()
	defer raceEnable()
	s := rw.load()
	require.Zero(t, s&(closed|drainParked|waiting|woken|readersAsleep), "flags of an idle lock: %x", s)
	require.Equal(t, s&biased != 0, atomic.LoadUint64(&rw.writes) >= striped, "striped says what biased says: %x", s)
	st := rw.stats()
	require.Zero(t, st.ActiveReaders, "readers in an idle lock")
	require.Zero(t, st.Waiting)
	require.False(t, st.Locked)
	if x := rw.x.Load(); x != nil {
		require.Nil(t, x.q.head)
		require.Nil(t, x.readers.head)
		require.Nil(t, x.drainer)
	}
}

// modes calls f with a lock in each mode.
func modes(t *testing.T, f func(t *testing.T, rw *RWMutex)) {
	t.Run("word", func(t *testing.T) { f(t, new(RWMutex)) })
	t.Run("striped", func(t *testing.T) {
		rw := new(RWMutex)
		require.True(t, enableBias(rw))
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
