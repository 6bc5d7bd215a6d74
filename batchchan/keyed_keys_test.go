package batchchan_test

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestKeyedKeysThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		bad, good any
	}{
		"NaN":           {math.NaN(), 1.5},
		"slice":         {[]byte("x"), "x"},
		"map in struct": {struct{ any }{map[int]int{}}, struct{ any }{1}},
		"NaN in array":  {[2]any{1, math.NaN()}, [2]any{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := batchchan.NewKeyed(batchchan.KeyedConfig[any]{}, func(v any) any { return v }, func(context.Context, any, []any) error { return nil })
			require.NoError(t, err)
			require.ErrorIs(t, k.Send(bg, c.bad), batchchan.ErrBadKey)
			require.ErrorIs(t, k.TrySend(c.bad), batchchan.ErrBadKey)
			require.ErrorIs(t, k.SendTimeout(c.bad, time.Second), batchchan.ErrBadKey)
			n, err := k.SendMany(bg, []any{c.good, c.bad, c.good})
			require.ErrorIs(t, err, batchchan.ErrBadKey)
			require.Equal(t, 1, n)
			require.False(t, k.Resume(c.bad))
			require.NoError(t, k.Send(bg, c.good), "nobody holds the lock")
			require.NoError(t, k.Close())
			require.EqualValues(t, 2, k.Stats().Succeeded)
			require.EqualValues(t, 5, k.Stats().Rejected)
			k.Validate(t, 0)
		})
	}
	f, err := batchchan.NewKeyed(batchchan.KeyedConfig[float64]{}, func(v float64) float64 { return v }, func(context.Context, float64, []float64) error { return nil })
	require.NoError(t, err)
	require.ErrorIs(t, f.Send(bg, math.NaN()), batchchan.ErrBadKey)
	require.NoError(t, f.Close())
}

func TestKeyedBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got [][]int
		gate := make(chan struct{})
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{
			MaxBatch: 3, MaxBytes: 100, MaxPendingBytes: 250, SizeOf: func(v int) int { return v }, Linger: -1, Name: "bytes",
		}}, func(int) int { return 0 }, func(_ context.Context, _ int, items []int) error {
			<-gate
			got = append(got, slices.Clone(items))
			return nil
		})
		require.NoError(t, err)
		require.ErrorIs(t, k.Send(bg, 101), batchchan.ErrTooLarge)
		n, err := k.SendMany(bg, []int{60, 30, 50, -5, 0, 1, 100, 90})
		require.NoError(t, err)
		require.Equal(t, 8, n)
		synctest.Wait() // 60, 30 is in the processor
		require.Equal(t, 50+1+100+90, k.Stats().PendingBytes)
		k.Validate(t, 1)
		require.ErrorIs(t, k.TrySend(10), batchchan.ErrFull)
		require.NoError(t, k.TrySend(9))
		done := make(chan error, 1)
		go func() { done <- k.Send(bg, 40) }()
		synctest.Wait()
		gate <- struct{}{}
		require.NoError(t, <-done)
		close(gate)
		require.NoError(t, k.Close())
		require.Equal(t, [][]int{{60, 30}, {50, -5, 0}, {1}, {100}, {90, 9}, {40}}, got)
		s := k.Stats()
		require.Zero(t, s.PendingBytes)
		require.Equal(t, "bytes", s.Name)
		checkQuiet(t, s.Stats)
	})
}

func TestKeyedSendMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var mu sync.Mutex
		got := map[int][]int{}
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 5, MaxPending: 50, Workers: 2}}, func(v int) int { return v % 3 },
			func(_ context.Context, key int, items []int) error {
				<-gate
				mu.Lock()
				defer mu.Unlock()
				got[key] = append(got[key], items...)
				return nil
			})
		require.NoError(t, err)
		n, err := k.SendMany(bg, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		n, err = k.SendMany(ctx, upTo(200))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, n, k.Stats().Accepted)
		require.Equal(t, 50, k.Stats().Pending)
		go func() { time.Sleep(time.Second); close(gate) }()
		m, err := k.SendMany(bg, upTo(200)[n:])
		require.NoError(t, err)
		require.Equal(t, 200, n+m)
		require.NoError(t, k.Close())
		for key, items := range got {
			for i, v := range items {
				require.Equal(t, 3*i+key, v, "in order")
			}
		}
		n, err = k.SendMany(bg, []int{1})
		require.ErrorIs(t, err, batchchan.ErrClosed)
		require.Zero(t, n)
	})
}

// After a peak of keys the memory goes back, also when some keys stay.
func TestKeyedMemoryAfterAPeakGoesBack(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Hour} {
		n := 50_000
		gate := make(chan struct{})
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxPending: 2 * n, Linger: -1}, KeyIdleTimeout: idle},
			func(v int) int { return v }, func(context.Context, int, []int) error { <-gate; return nil })
		require.NoError(t, err)
		heap := func() int {
			runtime.GC()
			runtime.GC() // sync.Pools
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc)
		}
		before := heap()
		for i := range n {
			require.NoError(t, k.Send(bg, i))
		}
		peak := heap() - before
		k.SetIdleTimeout(time.Microsecond) // as if the hour had passed
		close(gate)
		require.NoError(t, k.Flush(bg))
		require.Eventually(t, func() bool { return k.Stats().IdleKeys == 0 }, 10*time.Second, time.Millisecond) // real time: the keys' idle time
		for i := range 2000 {                                                                                   // the keys that come now
			require.NoError(t, k.Send(bg, i%10))
		}
		require.NoError(t, k.Flush(bg))
		after := heap() - before
		require.Less(t, after, peak/10, "of %d", peak)
		require.NoError(t, k.Close())
		k.Validate(t, 0)
	}
}

// Shutdown takes back the items of all keys, also while their table is being moved to
// a smaller one.
func TestKeyedShutdownWhileTheTableShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, done = batchchan.ShrinkFrom + 76, batchchan.ShrinkFrom - 24
		n, gate := 0, make(chan struct{})
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1}}, func(v int) int { return v },
			func(ctx context.Context, _ int, _ []int) error {
				<-gate
				if n++; n > done {
					<-ctx.Done()
				}
				return nil
			})
		require.NoError(t, err)
		_, err = k.SendMany(bg, upTo(keys))
		require.NoError(t, err)
		close(gate) // all keys are there
		synctest.Wait()
		require.True(t, k.KeysAreMoved())
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		back, err := k.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ElementsMatch(t, upTo(keys)[done+1:], back)
		<-k.Done()
		k.Validate(t, 0)
	})
}

// A wait for the next attempt may be as long as there is.
func TestAsideForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		cfg := batchchan.Config[int]{Retry: batchchan.Retry{
			MaxAttempts: 2, Backoff: math.MaxInt64, MaxBackoff: math.MaxInt64, NoJitter: true, MaxAside: 1,
		}}
		fail := func() error { calls.Add(1); return errEnd }
		b := must[int](t)(batchchan.New(cfg, func(context.Context, []int) error { return fail() }))
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(int) int { return 0 }, func(context.Context, int, []int) error { return fail() })
		require.NoError(t, err)
		time.Sleep(time.Second) // the wait begins later than at 0
		require.NoError(t, b.Send(bg, 1))
		require.NoError(t, k.Send(bg, 1))
		time.Sleep(1000 * time.Hour)
		synctest.Wait()
		require.EqualValues(t, 2, calls.Load(), "one attempt each")
		require.Equal(t, 1, b.Stats().Aside)
		requireFailed(t, 1, b.Flush(bg))
		requireFailed(t, 1, k.Flush(bg))
		require.EqualValues(t, 4, calls.Load())
		require.NoError(t, b.Close())
		require.NoError(t, k.Close())
	})
}
