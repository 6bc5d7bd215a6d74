package locks_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/heaptest"
	"github.com/poundlock/poundlock/locks"
)

// sleepOnce makes one goroutine sleep for a lock.
func sleepOnce(t *testing.T, lock, unlock func(), waiting func() int) {
	lock()
	var wg sync.WaitGroup
	wg.Go(func() { lock(); unlock() })
	waitFor(t, "the sleeper", func() bool { return waiting() == 1 })
	unlock()
	wg.Wait()
}

// TestALockThatSleptOnceIsSmall holds locks on which somebody has slept to the
// bar of 1 KB each, and 100 MB for 100 000.
func TestALockThatSleptOnceIsSmall(t *testing.T) {
	if locks.RaceEnabled {
		t.Skip("the race detector's memory is not the subject")
	}
	n := scaled(20_000)
	if long {
		n = 100_000
	}
	measure := func(what string, limit int64, use func(i int), keep any) {
		per := heaptest.Growth(n, use)
		t.Logf("%s: %d bytes beyond its own", what, per)
		require.LessOrEqual(t, per, limit, what)
		runtime.KeepAlive(keep)
	}
	rws, spins := make([]locks.RWMutex, n), make([]locks.SpinMutex, n)
	measure("RWMutex", 1000-32, func(i int) {
		m := &rws[i]
		sleepOnce(t, m.Lock, m.Unlock, func() int { return m.Stats().Waiting })
	}, rws)
	measure("SpinMutex", 1000-16, func(i int) {
		m := &spins[i]
		sleepOnce(t, m.Lock, m.Unlock, func() int { return m.Stats().Waiting })
	}, spins)
}
