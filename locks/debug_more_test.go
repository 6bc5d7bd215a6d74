//go:build poundlock_debug

package locks_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// TestDebugUpgradeThatWaits: an Upgrade asks for a lock that others hold, so it may be
// one side of a deadlock, and may wait too long.
func TestDebugUpgradeThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b locks.RWMutex
		got := reports(t, time.Minute, func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			a.RLock()
			other := make(chan struct{})
			go func() { a.RLock(); close(other) }()
			<-other
			b.Lock()
			require.ErrorIs(t, a.Upgrade(ctx), context.DeadlineExceeded)
			b.Unlock()
			a.RUnlock()
			a.RUnlock()
		})
		require.Len(t, got, 2)
		require.Contains(t, got[0], "locks: inversion: goroutine", "b was taken while a was held, and a is asked for while b is")
		require.Contains(t, got[1], "has waited for 1m0s for RWMutex")
		require.Equal(t, 2, strings.Count(got[1], "holds it for reading since"))
		locks.CheckIdle(t, &a)
	})
}

// TestDebugManyKeys: what a LockMany holds while it waits for more has a holder; what a
// Many gives up again takes nobody else's hold away.
func TestDebugManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := locks.NewKeyed[string](locks.WithShards(1))
		got := reports(t, time.Minute, func() {
			// The order of locking is that of addresses: most likely some of keys come
			// before last.
			defer k.Lock("another").Unlock()
			keys := []string{"last"}
			for i := range 30 {
				keys = append(keys, strconv.Itoa(i))
			}
			others := k.LockMany(keys[1:]...)
			last := k.Lock("last")
			others.Unlock()
			var wg sync.WaitGroup
			wg.Go(func() { k.LockMany(keys...).Unlock() })
			synctest.Wait()
			for _, key := range keys[1:] {
				wg.Go(func() { k.Lock(key).Unlock() })
			}
			time.Sleep(time.Hour)
			last.Unlock()
			wg.Wait()
		})
		require.NotEmpty(t, got, "the LockMany, and those that wait for what it has")
		for _, r := range got {
			require.NotContains(t, r, "nobody holds it")
		}

		got = reports(t, time.Minute, func() {
			a := k.RLock("a")
			done := make(chan struct{})
			go func() {
				defer close(done)
				b := k.Lock("b")
				defer b.Unlock()
				other := make(chan struct{})
				go func() {
					defer close(other)
					_, ok := k.TryRLockMany("a", "b", "c")
					require.False(t, ok)
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_, err := k.RLockManyContext(ctx, "a", "b", "c")
					require.Error(t, err)
				}()
				<-other
			}()
			<-done
			waiter := make(chan struct{})
			go func() { k.Lock("a").Unlock(); close(waiter) }()
			time.Sleep(time.Hour)
			a.Unlock()
			<-waiter
		})
		require.Len(t, got, 1)
		require.Contains(t, got[0], "holds it for reading since")
		held, holders := locks.DebugHolds()
		require.Zero(t, held)
		require.Zero(t, holders)
	})
}

// guardedName is a key whose String takes a lock.
type guardedName struct {
	mu   *locks.RWMutex
	name string
}

func (n guardedName) String() string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.name
}

func TestDebugRunsNobodysCodeInside(t *testing.T) {
	var mu locks.RWMutex
	var k locks.Keyed[guardedName]
	a, b := guardedName{&mu, "first"}, guardedName{&mu, "second"}
	within(t, time.Minute, func() {
		got := reports(t, time.Millisecond, func() {
			h1, h2 := k.Lock(a), k.Lock(b)
			waited := make(chan struct{})
			go func() { k.LockTimeout(a, 50*time.Millisecond); close(waited) }()
			<-waited
			h2.Unlock()
			h1.Unlock()
			h2 = k.Lock(b)
			h1 = k.Lock(a)
			h1.Unlock()
			h2.Unlock()
		})
		require.Len(t, got, 2)
		require.Contains(t, got[0], "key first of Keyed")
		require.Contains(t, got[1], "locks: inversion")
		require.Contains(t, got[1], "key second of Keyed")
	})
}

// TestDebugReportThatPanics: the lock that was asked for is not taken, nor counted as
// held.
func TestDebugReportThatPanics(t *testing.T) {
	ctx := context.Background()
	var rw locks.RWMutex
	var m locks.SpinMutex
	var k locks.Keyed[string]
	for name, take := range map[string]func() (release func()){
		"Lock":              func() func() { rw.Lock(); return rw.Unlock },
		"RLock":             func() func() { rw.RLock(); return rw.RUnlock },
		"LockContext":       func() func() { rw.LockContext(ctx); return rw.Unlock },
		"RLockTimeout":      func() func() { rw.RLockTimeout(time.Hour); return rw.RUnlock },
		"SpinMutex":         func() func() { m.Lock(); return m.Unlock },
		"SpinMutex, ctx":    func() func() { m.LockContext(ctx); return m.Unlock },
		"SpinMutex, time":   func() func() { m.LockTimeout(time.Hour); return m.Unlock },
		"Keyed":             func() func() { return k.Lock("x").Unlock },
		"Keyed.RLock":       func() func() { return k.RLock("x").Unlock },
		"Keyed.LockTimeout": func() func() { h, _ := k.LockTimeout("x", time.Hour); return h.Unlock },
		"Keyed.LockMany":    func() func() { return k.LockMany("x", "y").Unlock },
	} {
		t.Run(name, func(t *testing.T) {
			locks.DebugForget()
			locks.SetDebug(locks.DebugOptions{OnReport: func(r string) { panic(r) }})
			defer locks.SetDebug(locks.DebugOptions{})
			var other locks.RWMutex
			release := take()
			other.Lock()
			other.Unlock()
			release()

			other.Lock()
			require.Panics(t, func() { take() })
			other.Unlock()
			held, holders := locks.DebugHolds()
			require.Zero(t, held)
			require.Zero(t, holders)
			within(t, 20*time.Second, func() { take()() })
		})
	}
}

// TestDebugKeysThatCannotBeHashed panic as without the switch, which works on.
func TestDebugKeysThatCannotBeHashed(t *testing.T) {
	got := reports(t, -1, func() {
		var k locks.Keyed[any]
		defer k.Lock("held").Unlock()
		require.Panics(t, func() { k.Lock([]int{1}) })
		require.Panics(t, func() { k.LockMany("a", []int{1}) })
		within(t, 20*time.Second, func() { k.Lock("b").Unlock() })
	})
	require.Empty(t, got)
}

func TestDebugNamesASpinMutex(t *testing.T) {
	got := reports(t, -1, func() {
		var m locks.SpinMutex
		m.SetName("registry")
		m.Lock()
		m.LockTimeout(time.Millisecond)
		m.Unlock()
	})
	require.Len(t, got, 1)
	require.Contains(t, got[0], "asks for SpinMutex registry (0x")
}
