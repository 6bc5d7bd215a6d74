package locks_test

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// onlyGrew checks that no counter of two readings of a Stats went back.
func onlyGrew(t *testing.T, before, after any) {
	t.Helper()
	b, a := reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range b.NumField() {
		if f := b.Field(i); f.Kind() == reflect.Uint64 && f.Uint() > a.Field(i).Uint() {
			t.Errorf("%s went from %d to %d", b.Type().Field(i).Name, f.Uint(), a.Field(i).Uint())
		}
	}
}

// TestKeyedCountersOnlyGrow, also when those that waited for a key give up: to those who
// scrape them a counter that goes back has begun anew.
func TestKeyedCountersOnlyGrow(t *testing.T) {
	for name, give := range map[string]func(ctx context.Context, k *locks.Keyed[string]) bool{
		"LockTimeout": func(_ context.Context, k *locks.Keyed[string]) bool {
			_, ok := k.LockTimeout("a", time.Second)
			return ok
		},
		"RLockTimeout": func(_ context.Context, k *locks.Keyed[string]) bool {
			_, ok := k.RLockTimeout("a", time.Second)
			return ok
		},
		"LockContext": func(ctx context.Context, k *locks.Keyed[string]) bool {
			_, err := k.LockContext(ctx, "a")
			return err == nil
		},
		"RLockContext": func(ctx context.Context, k *locks.Keyed[string]) bool {
			_, err := k.RLockContext(ctx, "a")
			return err == nil
		},
		"LockManyContext": func(ctx context.Context, k *locks.Keyed[string]) bool {
			_, err := k.LockManyContext(ctx, "b", "a")
			return err == nil
		},
		"RLockManyContext": func(ctx context.Context, k *locks.Keyed[string]) bool {
			_, err := k.RLockManyContext(ctx, "b", "a")
			return err == nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var k locks.Keyed[string]
			h := k.Lock("a")
			before := k.Stats()
			go func() { require.False(t, give(ctx, &k), name) }()
			synctest.Wait()
			during := k.Stats()
			onlyGrew(t, before, during)
			time.Sleep(time.Minute)
			after := k.Stats()
			onlyGrew(t, during, after)
			require.EqualValues(t, 1, after.Writes, name)
			require.Zero(t, after.Reads, name)
			require.EqualValues(t, 1, after.Canceled, name)
			h.Unlock()
		})
	}
}

// TestAKeyGivenBackCountsIfItWasWaitedFor: of a LockMany that gives up, so that no more
// are contended than there are.
func TestAKeyGivenBackCountsIfItWasWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k locks.Keyed[string]
		check := func() {
			t.Helper()
			st := k.Stats()
			require.LessOrEqual(t, st.WriteContended, st.Writes)
			require.LessOrEqual(t, st.Contention, 1.0)
		}
		for _, first := range []int{0, 1} { // one of the keys is locked first
			held := []locks.Held[string]{k.RLock("a"), k.RLock("b")}
			var wg sync.WaitGroup
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := k.LockManyContext(ctx, "a", "b")
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
			synctest.Wait()
			held[first].Unlock()
			synctest.Wait()
			check()
			wg.Wait()
			check()
			held[1-first].Unlock()
		}
		st := k.Stats()
		require.EqualValues(t, 4, st.Reads)
		require.EqualValues(t, 1, st.Writes, "it got a key once")
		require.EqualValues(t, 1, st.WriteContended)
		require.EqualValues(t, 2, st.Canceled)

		a := k.RLock("a")
		var wg sync.WaitGroup
		wg.Go(func() { k.LockMany("a", "b", "c").Unlock() })
		synctest.Wait()
		a.Unlock()
		wg.Wait()
		st = k.Stats()
		require.EqualValues(t, 4, st.Writes, "each once")
		require.EqualValues(t, 2, st.WriteContended)
	})
}

// TestKeyedCountsEveryUser: those that share a key, and those that wait for it.
func TestKeyedCountsEveryUser(t *testing.T) {
	var k locks.Keyed[int]
	a, b := k.RLock(1), k.RLock(1)
	c, _ := k.TryRLock(1)
	d, _ := k.RLockTimeout(1, time.Hour)
	e, _ := k.RLockContext(context.Background(), 1)
	f := k.RLockMany(1, 2)
	_, ok := k.TryLock(1)
	require.False(t, ok)
	done := make(chan struct{})
	go func() { k.Lock(1).Unlock(); close(done) }()
	waitFor(t, "the writer", func() bool { return k.Stats().WriteParked == 1 })
	for _, h := range []locks.Held[int]{a, b, c, d, e} {
		h.Unlock()
	}
	f.Unlock()
	<-done
	st := k.Stats()
	require.EqualValues(t, 7, st.Reads)
	require.EqualValues(t, 1, st.Writes)
	require.EqualValues(t, 1, st.WriteContended)
}
