package locks_test

import (
	"errors"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

//go:noinline
func waitsLong(rw *locks.RWMutex) { rw.Lock(); rw.Unlock() }

//go:noinline
func waitsBriefly(rw *locks.RWMutex) { rw.RLock(); rw.RUnlock() }

type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteContention(t *testing.T) {
	locks.ResetContention()
	defer locks.ResetContention()
	contend := func(rw *locks.RWMutex, f func(*locks.RWMutex), d time.Duration) {
		rw.Lock()
		done := make(chan struct{})
		go func() { f(rw); close(done) }()
		waitFor(t, "the waiter", func() bool { return rw.Stats().Waiting == 1 })
		for start := time.Now(); time.Since(start) < d; {
		}
		rw.Unlock()
		<-done
	}
	var named, quiet locks.RWMutex
	named.SetOptions(locks.RWOptions{Name: "registry", SiteSampling: 1})
	contend(&quiet, waitsLong, 0)
	contend(&named, waitsBriefly, 0)
	contend(&named, waitsLong, 20*time.Millisecond)

	var b strings.Builder
	require.NoError(t, locks.WriteContention(&b))
	t.Log("\n" + b.String())
	lines := strings.Split(b.String(), "\n")
	require.Contains(t, lines[0], "WAITED")
	require.Contains(t, lines[1], "registry")
	require.Contains(t, lines[1], "locks_test.waitsLong", "the most waited for first, from its caller on")
	require.Contains(t, b.String(), "locks_test.waitsBriefly")
	require.Equal(t, 2, strings.Count(b.String(), "registry"), "only locks that opted in")
	require.ErrorContains(t, locks.WriteContention(badWriter{}), "full")
}

//go:noinline
func waitsProfiled(lock, unlock func()) { lock(); unlock() }

// TestWaitsAreInTheBlockProfile, and not in the mutex profile, as the documentation says.
func TestWaitsAreInTheBlockProfile(t *testing.T) {
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	rw, m, k := new(locks.RWMutex), new(locks.SpinMutex), new(locks.Keyed[int])
	var h locks.Held[int]
	for name, l := range map[string]struct {
		lock, unlock func()
		waiting      func() bool
	}{
		"(*RWMutex).Lock":   {rw.Lock, rw.Unlock, func() bool { return rw.Stats().Waiting == 1 }},
		"(*RWMutex).RLock":  {rw.RLock, rw.RUnlock, func() bool { return rw.Stats().Waiting == 1 }},
		"(*SpinMutex).Lock": {m.Lock, m.Unlock, func() bool { return m.Stats().Waiting == 1 }},
		"(*Keyed[...]).Lock": {func() { got := k.Lock(1); h = got }, func() { h.Unlock() }, func() bool {
			return k.Stats().WriteParked == 1
		}},
	} {
		hold, release := l.lock, l.unlock
		if strings.HasPrefix(name, "(*RWMutex)") {
			hold, release = rw.Lock, rw.Unlock
		}
		hold()
		done := make(chan struct{})
		go func() { waitsProfiled(l.lock, l.unlock); close(done) }()
		waitFor(t, name, l.waiting)
		release()
		<-done

		var blocked, mutexes strings.Builder
		require.NoError(t, pprof.Lookup("block").WriteTo(&blocked, 1))
		require.NoError(t, pprof.Lookup("mutex").WriteTo(&mutexes, 1))
		found := false
		for stack := range strings.SplitSeq(blocked.String(), "\n\n") {
			found = found || strings.Contains(stack, "locks_test.waitsProfiled") && strings.Contains(stack, "locks."+name)
		}
		require.True(t, found, "%s\n%s", name, blocked.String())
		require.NotContains(t, mutexes.String(), "locks_test.waitsProfiled", name)
	}
}
