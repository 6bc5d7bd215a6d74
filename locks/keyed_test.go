package locks_test

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

func TestKeyedBasics(t *testing.T) {
	k := locks.NewKeyed[string]()
	a := k.Lock("a")
	require.Equal(t, "a", a.Key())
	_, ok := k.TryLock("a")
	require.False(t, ok)
	_, ok = k.TryRLock("a")
	require.False(t, ok)
	b, ok := k.TryLock("b")
	require.True(t, ok)
	require.Equal(t, 2, k.Len())
	_, ok = k.LockTimeout("a", time.Millisecond)
	require.False(t, ok)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := k.LockContext(ctx, "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = k.LockContext(ctx, "free")
	require.ErrorIs(t, err, context.DeadlineExceeded, "a done ctx wins")
	_, err = k.RLockContext(ctx, "free")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 2, k.Len(), "failures leave nothing")
	a.Unlock()
	b.Unlock()
	require.Zero(t, k.Len())

	r1, r2 := k.RLock("a"), k.RLock("a")
	r3, ok := k.TryRLock("a")
	require.True(t, ok)
	_, ok = k.TryLock("a")
	require.False(t, ok)
	r1.Unlock()
	r2.Unlock()
	r3.Unlock()
	require.Zero(t, k.Len())
	require.Zero(t, locks.Held[string]{}.Key())

	st := k.Stats()
	require.EqualValues(t, 2, st.Writes)
	require.EqualValues(t, 3, st.Reads)
	require.EqualValues(t, 2, st.Canceled)
}

func TestKeyedExclusionPerKey(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		k := locks.NewKeyed[int](locks.WithShards(2))
		const keys = 7
		var n [keys]struct {
			n int
			_ [120]byte
		}
		var reads, writes [16]int
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 3))
				for range scaled(4000) {
					key := rng.IntN(keys)
					switch rng.IntN(6) {
					case 0:
						h := k.RLock(key)
						_ = n[key].n
						h.Unlock()
						reads[i]++
					case 1:
						if h, ok := k.TryLock(key); ok {
							n[key].n++
							h.Unlock()
							writes[i]++
						}
					case 2:
						if h, ok := k.LockTimeout(key, time.Duration(rng.IntN(30))*time.Microsecond); ok {
							n[key].n++
							h.Unlock()
							writes[i]++
						}
					default:
						h := k.Lock(key)
						n[key].n++
						if rng.IntN(50) == 0 {
							runtime.Gosched()
						}
						h.Unlock()
						writes[i]++
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		r, w, sum := 0, 0, 0
		for i := range reads {
			r, w = r+reads[i], w+writes[i]
		}
		for i := range n {
			sum += n[i].n
		}
		require.Equal(t, w, sum)
		st := k.Stats()
		require.EqualValues(t, r, st.Reads)
		require.EqualValues(t, w, st.Writes)
		require.LessOrEqual(t, st.Contention, 1.0)
		require.Zero(t, k.Len())
	})
}

func TestKeyedMillionKeysLeaveNothing(t *testing.T) {
	n := 1_000_000
	if locks.DebugEnabled { // which looks at all that a goroutine holds
		n = 1000
	} else if locks.RaceEnabled || testing.Short() {
		n = 100_000
	}
	k := locks.NewKeyed[int]()
	for i := range n {
		k.Lock(i).Unlock()
	}
	require.Zero(t, k.Len())
	held := make([]locks.Held[int], 0, n/10) // and all at once
	for i := range n / 10 {
		held = append(held, k.Lock(i))
	}
	require.Equal(t, n/10, k.Len())
	for _, h := range held {
		h.Unlock()
	}
	require.Zero(t, k.Len())
	k.CheckKept(t)
}

func TestKeyedNaN(t *testing.T) {
	k := locks.NewKeyed[float64]()
	a, b := k.Lock(math.NaN()), k.Lock(math.NaN()) // would hang if they were equal
	require.Equal(t, 2, k.Len())
	m := k.LockMany(math.NaN(), 1, math.NaN())
	require.Equal(t, 5, k.Len())
	m.Unlock()
	a.Unlock()
	b.Unlock()
	require.Zero(t, k.Len())
}

func TestKeyedUncomparableKeyPanics(t *testing.T) {
	k := locks.NewKeyed[any]()
	require.Panics(t, func() { k.Lock([]int{1}) })
	k.Lock("and it works on").Unlock()
	require.Zero(t, k.Len())
}

func TestLockManyInOppositeOrders(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		k := locks.NewKeyed[int](locks.WithShards(2))
		var n [5]int
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 5))
				for range scaled(2000) {
					keys := rng.Perm(5)[:1+rng.IntN(5)]
					keys = append(keys, keys[0]) // twice
					h := k.LockMany(keys...)
					for _, key := range keys[1:] {
						n[key]++
					}
					h.Unlock()
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.Zero(t, k.Len())
	})
}

func TestLockManyContext(t *testing.T) {
	k := locks.NewKeyed[int]()
	h := k.Lock(3)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	_, err := k.LockManyContext(ctx, 1, 2, 3, 4)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 1, k.Len(), "the others were released")
	_, err = k.LockManyContext(ctx, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded, "a done ctx wins")
	h.Unlock()
	m, err := k.LockManyContext(context.Background(), 1, 2, 1)
	require.NoError(t, err)
	require.Equal(t, 2, k.Len())
	m.Unlock()
	k.LockMany().Unlock()
	require.Zero(t, k.Len())
	require.EqualValues(t, 3, k.Stats().Writes)
}

func TestTopNamesTheContendedKeys(t *testing.T) {
	k := locks.NewKeyed[string](locks.WithShards(1), locks.WithTop(2))
	contend := func(key string, d time.Duration) {
		h := k.Lock(key)
		done := make(chan struct{})
		go func() { k.Lock(key).Unlock(); close(done) }()
		waitFor(t, "the waiter", func() bool {
			top := k.Top(100)
			for _, s := range top {
				if s.Key == key && s.Users == 2 {
					return true
				}
			}
			return k.Stats().WriteParked > 0 && h.Waited(k)
		})
		for start := time.Now(); time.Since(start) < d; {
			runtime.Gosched()
		}
		h.Unlock()
		<-done
	}
	contend("hot", 20*time.Millisecond)
	for i := range 5 {
		contend("cold"+strconv.Itoa(i), 0)
		k.Lock("idle").Unlock()
	}
	require.Zero(t, k.Len())
	top := k.Top(1)
	require.Len(t, top, 1)
	require.Equal(t, "hot", top[0].Key)
	require.EqualValues(t, 1, top[0].Contended)
	require.Greater(t, top[0].WaitTime, 10*time.Millisecond)
	require.Zero(t, top[0].Users)
	require.LessOrEqual(t, len(k.Top(100)), 2, "bounded")
	require.Empty(t, k.Top(0))
	require.Empty(t, k.Top(-1))
	st := k.Stats()
	require.EqualValues(t, 6, st.WriteContended)
	require.EqualValues(t, 6, st.WriteWait.Count)
}

func TestKeyedAllocatesNothing(t *testing.T) {
	if locks.DebugEnabled {
		t.Skip("the debug switch allocates")
	}
	k := locks.NewKeyed[string]()
	k.Lock("a").Unlock()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		k.Lock("a").Unlock()
		k.RLock("b").Unlock()
	}))
}
