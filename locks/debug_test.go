//go:build poundlock_debug

package locks_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// reports collects what the debug switch says while f runs.
func reports(t *testing.T, limit time.Duration, f func()) []string {
	locks.DebugForget()
	var mu sync.Mutex
	var all []string
	require.True(t, locks.SetDebug(locks.DebugOptions{WaitLimit: limit, OnReport: func(r string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r)
	}}))
	defer locks.SetDebug(locks.DebugOptions{})
	f()
	mu.Lock()
	defer mu.Unlock()
	return all
}

// nested takes two locks in one order.
//
//go:noinline
func nested(lock1, lock2, unlock2, unlock1 func()) { lock1(); lock2(); unlock2(); unlock1() }

//go:noinline
func reversed(lock1, lock2, unlock2, unlock1 func()) { lock1(); lock2(); unlock2(); unlock1() }

func TestDebugInversion(t *testing.T) {
	type lock struct{ lock, unlock func() }
	kinds := map[string]func() [3]lock{
		"RWMutex": func() (l [3]lock) {
			for i := range l {
				m := new(locks.RWMutex)
				l[i] = lock{m.Lock, m.Unlock}
			}
			return l
		},
		"RLock": func() (l [3]lock) {
			for i := range l {
				m := new(locks.RWMutex)
				l[i] = lock{m.RLock, m.RUnlock}
			}
			return l
		},
		"SpinMutex": func() (l [3]lock) {
			for i := range l {
				m := new(locks.SpinMutex)
				l[i] = lock{func() { m.LockTimeout(time.Hour) }, m.Unlock}
			}
			return l
		},
		"Keyed": func() (l [3]lock) {
			k := new(locks.Keyed[int])
			for i := range l {
				var h locks.Held[int]
				l[i] = lock{func() { h = k.Lock(i) }, func() { h.Unlock() }}
			}
			return l
		},
		"mixed": func() [3]lock {
			a, b, k := new(locks.RWMutex), new(locks.SpinMutex), new(locks.Keyed[string])
			var h locks.HeldMany[string]
			return [3]lock{
				{func() { a.LockContext(context.Background()) }, a.Unlock},
				{func() { b.TryLock() }, b.Unlock},
				{func() { h = k.LockMany("x", "y") }, func() { h.Unlock() }},
			}
		},
	}
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			got := reports(t, -1, func() {
				l := make()
				for range 3 {
					nested(l[0].lock, l[1].lock, l[1].unlock, l[0].unlock)
					nested(l[1].lock, l[2].lock, l[2].unlock, l[1].unlock)
				}
			})
			require.Empty(t, got, "one order")

			got = reports(t, -1, func() {
				l := make()
				nested(l[0].lock, l[1].lock, l[1].unlock, l[0].unlock)
				for range 3 {
					reversed(l[1].lock, l[0].lock, l[0].unlock, l[1].unlock)
				}
			})
			require.Len(t, got, 1, "two orders")
			require.Contains(t, got[0], "locks: inversion: goroutine")
			require.Contains(t, got[0], "locks_test.reversed", "this side")
			require.Contains(t, got[0], "locks_test.nested", "and the other")

			got = reports(t, -1, func() {
				l := make()
				nested(l[0].lock, l[1].lock, l[1].unlock, l[0].unlock)
				nested(l[1].lock, l[2].lock, l[2].unlock, l[1].unlock)
				reversed(l[2].lock, l[0].lock, l[0].unlock, l[2].unlock)
			})
			require.NotEmpty(t, got, "in a circle of three")
			require.Equal(t, 2, strings.Count(got[0], "but goroutine"))
		})
	}
}

func TestDebugAsksAgain(t *testing.T) {
	got := reports(t, -1, func() {
		var rw locks.RWMutex
		rw.RLock()
		rw.RLock()
		rw.RUnlock()
		rw.RUnlock()
		rw.RLock()
		rw.RUnlock()
	})
	require.Len(t, got, 1)
	require.Regexp(t, regexp.MustCompile(`asks for RWMutex \S+ for reading, which it holds for reading already`), got[0])
	got = reports(t, -1, func() {
		var k locks.Keyed[string]
		k.LockMany("a", "b", "a").Unlock()
		h := k.Lock("a")
		k.LockTimeout("a", time.Millisecond)
		h.Unlock()
	})
	require.Len(t, got, 1)
	require.Contains(t, got[0], "key a of Keyed")
}

func TestDebugLongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rw locks.RWMutex
		var m locks.SpinMutex
		var k locks.Keyed[int]
		got := reports(t, time.Minute, func() {
			var wg sync.WaitGroup
			rw.SetOptions(locks.RWOptions{Name: "registry"})
			rw.Lock()
			m.Lock()
			h := k.RLock(7)
			wg.Go(func() { rw.RLock(); rw.RUnlock() })
			wg.Go(func() { m.Lock(); m.Unlock() })
			wg.Go(func() { k.Lock(7).Unlock() })
			wg.Go(func() { rw.LockTimeout(time.Second) })
			time.Sleep(time.Hour)
			rw.Unlock()
			m.Unlock()
			h.Unlock()
			wg.Wait()
		})
		require.Len(t, got, 3)
		all := strings.Join(got, "\n")
		require.Contains(t, all, "has waited for 1m0s for RWMutex registry")
		require.Contains(t, all, "has waited for 1m0s for SpinMutex")
		require.Contains(t, all, "has waited for 1m0s for key 7 of Keyed")
		require.Contains(t, all, "holds it for reading since")
		for _, r := range got {
			_, holder, _ := strings.Cut(r, "holds it")
			require.Contains(t, holder, "locks_test.TestDebugLongWait", "the holder's stack")
			require.Contains(t, strings.TrimSuffix(r, holder), "locks_test.TestDebugLongWait", "the waiter's stack")
		}
	})
}

// TestDebugForgetsWhatIsReleased by whoever releases it, however it was converted.
func TestDebugForgetsWhatIsReleased(t *testing.T) {
	got := reports(t, -1, func() {
		var a, b locks.RWMutex
		a.Lock()
		done := make(chan struct{})
		go func() { a.Unlock(); close(done) }()
		<-done
		b.Lock()
		b.Downgrade()
		b.TryUpgrade()
		b.Downgrade()
		b.Upgrade(context.Background())
		a.Lock() // the one order
		a.Unlock()
		b.Unlock()
	})
	require.Empty(t, got)
	held, holders := locks.DebugHolds()
	require.Zero(t, held)
	require.Zero(t, holders)
}
