package locks_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/heaptest"
	"github.com/poundlock/poundlock/locks"
)

// sleepOnce makes one goroutine sleep for a lock that another way of locking holds.
func sleepOnce(t *testing.T, hold, release, lock, unlock func(), waiting func() int) {
	hold()
	var wg sync.WaitGroup
	wg.Go(func() { lock(); unlock() })
	waitFor(t, "the sleeper", func() bool { return waiting() == 1 })
	release()
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
	rws := func(what string, use func(m *locks.RWMutex, waiting func() int)) {
		all := make([]locks.RWMutex, n)
		measure("RWMutex, "+what, 1000-32, func(i int) {
			m := &all[i]
			use(m, func() int { return m.Stats().Waiting })
		}, all)
	}
	rws("a writer behind a writer", func(m *locks.RWMutex, waiting func() int) {
		sleepOnce(t, m.Lock, m.Unlock, m.Lock, m.Unlock, waiting)
	})
	rws("a reader behind a writer", func(m *locks.RWMutex, waiting func() int) {
		sleepOnce(t, m.Lock, m.Unlock, m.RLock, m.RUnlock, waiting)
	})
	rws("a writer behind a reader", func(m *locks.RWMutex, waiting func() int) {
		sleepOnce(t, m.RLock, m.RUnlock, m.Lock, m.Unlock, waiting)
	})
	spins := make([]locks.SpinMutex, n)
	measure("SpinMutex", 1000-16, func(i int) {
		m := &spins[i]
		sleepOnce(t, m.Lock, m.Unlock, m.Lock, m.Unlock, func() int { return m.Stats().Waiting })
	}, spins)

	if locks.DebugEnabled {
		return // the debug switch remembers who holds what
	}
	k := locks.NewKeyed[int]()
	held := make([]locks.Held[int], n)
	measure("Keyed, a key", 1000, func(i int) {
		held[i] = k.Lock(i)
		if _, ok := k.LockTimeout(i, 1); ok {
			t.Error("locked twice")
		}
	}, k)
	require.EqualValues(t, n, k.Stats().WriteParked)
	for _, h := range held {
		h.Unlock()
	}
	clear(held)
	k.CheckKept(t)
}
