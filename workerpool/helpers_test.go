package workerpool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

var bg = context.Background()

// patience is how long a test waits before it calls something a hang. It only delays
// a failure, so it is long enough for a machine on which thirty others compute: there a
// test of a second takes a quarter of a minute.
const patience = 2 * time.Minute

// watch ends the test binary with the stacks of all goroutines if the test is
// still running after a time in which it always ends. Call it outside of
// synctest bubbles, whose clock may stand still.
func watch(t testing.TB) {
	t.Helper()
	name := t.Name()
	timer := time.AfterFunc(patience, func() {
		debug.SetTraceback("all")
		panic(name + " hangs")
	})
	t.Cleanup(func() { timer.Stop() })
}

func newPool(t testing.TB, cfg workerpool.Config) *workerpool.Pool {
	t.Helper()
	p, err := workerpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() { // a pool that failed its test may not end: watch would hide the failure
			go p.Close()
			return
		}
		require.NoError(t, p.Close())
	})
	return p
}

// newGate returns a channel that is closed by open, or else when the test ends.
func newGate(t testing.TB) (gate chan struct{}, open func()) {
	gate = make(chan struct{})
	open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	return gate, open
}

// untilClosed waits until p refuses submissions.
func untilClosed(t testing.TB, p *workerpool.Pool) {
	t.Helper()
	until(t, "closed", func() bool { return errors.Is(p.Resize(0, p.Stats().MaxWorkers), workerpool.ErrClosed) })
}

// closeAndCheck closes p and audits its books.
func closeAndCheck(t testing.TB, p *workerpool.Pool) workerpool.Stats {
	t.Helper()
	require.NoError(t, p.Close())
	st := p.Stats()
	checkBooks(t, st)
	require.Zero(t, st.Workers, "%+v", st)
	require.Zero(t, st.Queued, "%+v", st)
	require.Zero(t, workerpool.Held(p))
	return st
}

// onProcs sets GOMAXPROCS for the rest of the test.
func onProcs(t testing.TB, n int) {
	was := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(was) })
}

var queueSizes = []int{workerpool.NoQueue, 1, 2, 7, 0, workerpool.Unbounded}

func queueName(n int) string {
	switch n {
	case workerpool.NoQueue:
		return "none"
	case workerpool.Unbounded:
		return "unbounded"
	case 0:
		return "default"
	}
	return fmt.Sprint(n)
}

// everywhere runs test with each queue size, number of workers and GOMAXPROCS. A run
// that was given another GOMAXPROCS, by -cpu, is about that one alone.
func everywhere(t *testing.T, test func(t *testing.T, cfg workerpool.Config)) {
	watch(t)
	all := []int{1, 2, 8}
	if given := runtime.GOMAXPROCS(0); given != runtime.NumCPU() {
		all = []int{given}
	}
	for _, procs := range all {
		for _, workers := range []int{1, 2, 8, 64} {
			for _, size := range queueSizes {
				if testing.Short() && procs != 2 && workers > 2 {
					continue
				}
				t.Run(fmt.Sprintf("procs=%d/workers=%d/queue=%s", procs, workers, queueName(size)), func(t *testing.T) {
					onProcs(t, procs)
					test(t, workerpool.Config{MaxWorkers: workers, QueueSize: size})
				})
			}
		}
	}
}

// eachQueue runs test with each queue size.
func eachQueue(t *testing.T, test func(t *testing.T, size int)) {
	watch(t)
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) { test(t, size) })
	}
}

// occupy keeps n workers of p busy until the returned function is called.
func occupy(t testing.TB, p *workerpool.Pool, n int) (release func()) {
	t.Helper()
	gate, release := newGate(t)
	in := make(chan struct{})
	for range n {
		require.NoError(t, p.Submit(func() { in <- struct{}{}; <-gate }))
		<-in
	}
	return release
}

// until yields until cond holds; for conditions that no channel tells about.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience / 2); !cond(); {
		if time.Now().After(end) {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
			t.Fatal("never: " + what)
		}
		runtime.Gosched()
	}
}

// ownLabels returns the pprof labels of the calling goroutine as a profile shows them.
func ownLabels(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Error(err)
	}
	for block := range strings.SplitSeq(b.String(), "\n\n") {
		if !strings.Contains(block, "ownLabels") {
			continue
		}
		for line := range strings.SplitSeq(block, "\n") {
			if l, ok := strings.CutPrefix(line, "# labels: "); ok {
				return l
			}
		}
		return ""
	}
	t.Error("a goroutine is not in its own profile")
	return ""
}

func untilBlocked(t testing.TB, p *workerpool.Pool, n uint64) {
	t.Helper()
	until(t, fmt.Sprintf("%d blocked submitters", n), func() bool { return p.Stats().Waits >= n })
}

// scaled makes stresses shorter where each step is dearer: on one P, two
// goroutines that hand to each other keep a third off it for 10 ms at a time.
func scaled(n int) int {
	if runtime.GOMAXPROCS(0) == 1 {
		n /= 8
	}
	if testing.Short() {
		n /= 4
	}
	if raceEnabled {
		n /= 4
	}
	return max(n, 1)
}

// count yields 0 to n-1.
func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

var errBoom = errors.New("boom")
