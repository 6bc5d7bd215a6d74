package locks_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// TestZeroKeyed uses a Keyed that nobody has made, through every method first.
func TestZeroKeyed(t *testing.T) {
	ctx := context.Background()
	for name, use := range map[string]func(k *locks.Keyed[string]){
		"Lock":             func(k *locks.Keyed[string]) { k.Lock("a").Unlock() },
		"RLock":            func(k *locks.Keyed[string]) { k.RLock("a").Unlock() },
		"TryLock":          func(k *locks.Keyed[string]) { h, _ := k.TryLock("a"); h.Unlock() },
		"TryRLock":         func(k *locks.Keyed[string]) { h, _ := k.TryRLock("a"); h.Unlock() },
		"LockTimeout":      func(k *locks.Keyed[string]) { h, _ := k.LockTimeout("a", time.Second); h.Unlock() },
		"RLockTimeout":     func(k *locks.Keyed[string]) { h, _ := k.RLockTimeout("a", time.Second); h.Unlock() },
		"LockContext":      func(k *locks.Keyed[string]) { h, _ := k.LockContext(ctx, "a"); h.Unlock() },
		"RLockContext":     func(k *locks.Keyed[string]) { h, _ := k.RLockContext(ctx, "a"); h.Unlock() },
		"LockMany":         func(k *locks.Keyed[string]) { k.LockMany("a", "b").Unlock() },
		"RLockMany":        func(k *locks.Keyed[string]) { k.RLockMany("a", "b").Unlock() },
		"TryLockMany":      func(k *locks.Keyed[string]) { h, _ := k.TryLockMany("a", "b"); h.Unlock() },
		"TryRLockMany":     func(k *locks.Keyed[string]) { h, _ := k.TryRLockMany("a", "b"); h.Unlock() },
		"LockManyContext":  func(k *locks.Keyed[string]) { h, _ := k.LockManyContext(ctx, "a"); h.Unlock() },
		"RLockManyContext": func(k *locks.Keyed[string]) { h, _ := k.RLockManyContext(ctx, "a"); h.Unlock() },
		"Len":              func(k *locks.Keyed[string]) { require.Zero(t, k.Len()) },
		"Stats":            func(k *locks.Keyed[string]) { require.Zero(t, k.Stats()) },
		"Top":              func(k *locks.Keyed[string]) { require.Empty(t, k.Top(3)) },
	} {
		t.Run(name, func(t *testing.T) {
			var k locks.Keyed[string]
			use(&k)
			require.Zero(t, k.Len())
			h := k.Lock("a")
			_, ok := k.TryLock("a")
			require.False(t, ok)
			h.Unlock()
		})
	}
	var k locks.Keyed[int]
	n := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			h := k.Lock(1)
			n++
			h.Unlock()
		})
	}
	wg.Wait()
	require.Equal(t, 8, n, "the first uses at once")
}

// TestKeysThatCannotBeHashed panic in every method and leave nothing behind.
func TestKeysThatCannotBeHashed(t *testing.T) {
	ctx := context.Background()
	bad := []int{1}
	k := locks.NewKeyed[any]()
	for name, use := range map[string]func(){
		"Lock":            func() { k.Lock(bad) },
		"RLock":           func() { k.RLock(bad) },
		"TryLock":         func() { k.TryLock(bad) },
		"TryRLock":        func() { k.TryRLock(bad) },
		"LockTimeout":     func() { k.LockTimeout(bad, time.Second) },
		"RLockTimeout":    func() { k.RLockTimeout(bad, time.Second) },
		"LockContext":     func() { k.LockContext(ctx, bad) },
		"RLockContext":    func() { k.RLockContext(ctx, bad) },
		"LockMany":        func() { k.LockMany("a", "b", bad) },
		"RLockMany":       func() { k.RLockMany("a", bad, "b") },
		"TryLockMany":     func() { k.TryLockMany("a", bad) },
		"TryRLockMany":    func() { k.TryRLockMany("a", struct{ x any }{bad}) },
		"LockManyContext": func() { k.LockManyContext(ctx, "a", "b", [1]any{bad}) },
	} {
		require.Panics(t, use, name)
		require.Zero(t, k.Len(), name)
		h, ok := k.TryLockMany("a", "b")
		require.True(t, ok, name)
		h.Unlock()
	}
	st := k.Stats()
	require.EqualValues(t, 26, st.Writes)
	require.Zero(t, st.Reads)
}

func TestNaNLocksSomethingOfItsOwn(t *testing.T) {
	var k locks.Keyed[float64]
	nan := math.NaN()
	a := k.LockMany(nan, 1, nan)
	b := k.RLockMany(nan, 2)
	require.Equal(t, 5, k.Len())
	c := k.Lock(nan)
	c.Unlock()
	b.Unlock()
	a.Unlock()
	require.Zero(t, k.Len())
}

func TestManyReadersAndWriters(t *testing.T) {
	var k locks.Keyed[string]
	a, b := k.RLockMany("x", "y", "x"), k.RLockMany("y", "z")
	require.Equal(t, 3, k.Len())
	_, ok := k.TryLockMany("w", "z")
	require.False(t, ok)
	require.Equal(t, 3, k.Len(), "what could not be had is not kept")
	c, ok := k.TryRLockMany("z", "w")
	require.True(t, ok)
	a.Unlock()
	b.Unlock()
	c.Unlock()
	w, ok := k.TryLockMany("z", "w")
	require.True(t, ok)
	_, ok = k.TryRLockMany("v", "w")
	require.False(t, ok)
	_, ok = k.RLockTimeout("w", time.Millisecond)
	require.False(t, ok)
	_, ok = k.RLockTimeout("w", 0)
	require.False(t, ok)
	w.Unlock()
	require.Zero(t, k.Len())
	none, ok := k.TryLockMany()
	require.True(t, ok)
	none.Unlock()
	locks.HeldMany[string]{}.Unlock()
	st := k.Stats()
	require.EqualValues(t, 6, st.Reads)
	require.EqualValues(t, 2, st.Writes)
	require.EqualValues(t, 1, st.Canceled)
}

func TestKeyedCtxFormsSayWhy(t *testing.T) {
	var k locks.Keyed[int]
	held := k.Lock(1)
	why := errors.New("why")
	for name, lock := range map[string]func(context.Context) error{
		"LockContext":      func(ctx context.Context) error { _, err := k.LockContext(ctx, 1); return err },
		"RLockContext":     func(ctx context.Context) error { _, err := k.RLockContext(ctx, 1); return err },
		"LockManyContext":  func(ctx context.Context) error { _, err := k.LockManyContext(ctx, 0, 1, 2); return err },
		"RLockManyContext": func(ctx context.Context) error { _, err := k.RLockManyContext(ctx, 0, 1, 2); return err },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(why) })
			for range 2 { // while waiting, and with a ctx that is done
				err := lock(ctx)
				require.ErrorIs(t, err, why, name)
				require.ErrorIs(t, err, context.Canceled, name)
			}
		})
		require.PanicsWithValue(t, "locks: nil Context", func() { lock(nil) }, name)
		require.Equal(t, 1, k.Len(), name)
	}
	held.Unlock()
	require.Zero(t, k.Len())
}

// TestReadersAndWritersOfManyKeysInOppositeOrders: readers and writers of many keys, however given, do
// not wait for each other in a circle.
func TestReadersAndWritersOfManyKeysInOppositeOrders(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var k locks.Keyed[int]
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for range scaled(2000) {
					keys := []int{1, 2, 3}
					if i%2 == 0 {
						keys = []int{3, 1, 2, 3}
					}
					switch i / 2 {
					case 0:
						k.LockMany(keys...).Unlock()
					case 1:
						k.RLockMany(keys...).Unlock()
					default:
						if h, ok := k.TryLockMany(keys...); ok {
							h.Unlock()
						}
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.Zero(t, k.Len())
	})
}
