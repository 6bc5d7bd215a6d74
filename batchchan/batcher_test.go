package batchchan_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestBatchesBySizeAndRestAtClose(t *testing.T) {
	var got collector[int]
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 10, Linger: -1}, got.process))
	for i := range 25 {
		require.NoError(t, b.Send(bg, i))
	}
	require.NoError(t, b.Close())
	require.Equal(t, []int{10, 10, 5}, got.sizes())
	require.Equal(t, upTo(25), got.items())
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 2, s.FlushedSize)
	require.EqualValues(t, 1, s.FlushedClose)
	require.EqualValues(t, 25, s.Succeeded)
	require.EqualValues(t, 3, s.Batches)
	require.InDelta(t, 25.0/30, s.MeanFill, 1e-9)
}

func TestZeroConfigIsNaturalBatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got collector[int]
		release := make(chan struct{})
		b := must[int](t)(batchchan.New(batchchan.Config[int]{}, func(ctx context.Context, items []int) error {
			got.process(ctx, items)
			<-release
			return nil
		}))
		require.NoError(t, b.Send(bg, 0))
		synctest.Wait() // a free worker: the lone item goes at once
		require.Equal(t, []int{1}, got.sizes())
		for i := 1; i < 120; i++ {
			require.NoError(t, b.Send(bg, i))
		}
		synctest.Wait()
		close(release) // what came while it was busy goes together, in hundreds
		require.NoError(t, b.Close())
		require.Equal(t, []int{1, 100, 19}, got.sizes())
		require.Equal(t, upTo(120), got.items())
	})
}

func TestByteCapIsExact(t *testing.T) {
	var got collector[string]
	b, err := batchchan.New(batchchan.Config[string]{MaxBatch: 100, MaxBytes: 10, SizeOf: func(s string) int { return len(s) }, Linger: -1}, got.process)
	require.NoError(t, err)
	for _, s := range []string{"aaaa", "bbbb", "cccc", "dddddd", "e", "ffffffffff", "g"} {
		require.NoError(t, b.Send(bg, s))
	}
	require.ErrorIs(t, b.Send(bg, "12345678901"), batchchan.ErrTooLarge)
	require.ErrorIs(t, b.TrySend("12345678901"), batchchan.ErrTooLarge)
	n, err := b.SendMany(bg, []string{"h", "12345678901", "i"})
	require.ErrorIs(t, err, batchchan.ErrTooLarge)
	require.Equal(t, 1, n)
	require.NoError(t, b.Close())
	require.Equal(t, [][]string{{"aaaa", "bbbb"}, {"cccc", "dddddd"}, {"e"}, {"ffffffffff"}, {"g", "h"}}, got.batches)
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 4, s.Rejected)
	require.EqualValues(t, 4, s.FlushedBytes)
}

// bundler lets a batch grow tenfold over its limit while the handler is busy.
func TestByteCapHoldsUnderABusyProcessor(t *testing.T) {
	gate := make(chan struct{})
	var sizes []int
	b, err := batchchan.New(batchchan.Config[int]{MaxBatch: 1000, MaxBytes: 100, SizeOf: func(n int) int { return n }}, func(_ context.Context, items []int) error {
		<-gate
		sum := 0
		for _, n := range items {
			sum += n
		}
		sizes = append(sizes, sum)
		return nil
	})
	require.NoError(t, err)
	for range 500 {
		require.NoError(t, b.Send(bg, 7))
	}
	close(gate)
	require.NoError(t, b.Close())
	total := 0
	for _, n := range sizes {
		require.LessOrEqual(t, n, 100)
		total += n
	}
	require.Equal(t, 3500, total)
}

func TestDoneContextWins(t *testing.T) {
	var got collector[int]
	b := must[int](t)(batchchan.New(batchchan.Config[int]{Shards: 2}, got.process))
	ctx, cancel := context.WithCancel(bg)
	cancel()
	require.ErrorIs(t, b.Send(ctx, 1), context.Canceled)
	require.ErrorIs(t, b.Producer().Send(ctx, 1), context.Canceled)
	_, err := b.SendMany(ctx, []int{1})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, b.Flush(ctx), context.Canceled)
	require.NoError(t, b.Close())
	require.Empty(t, got.items())
}

func TestSliceIsClearedAndRecycledAndDetached(t *testing.T) {
	for _, detach := range []bool{false, true} {
		var kept [][]*int
		b, err := batchchan.New(batchchan.Config[*int]{MaxBatch: 2, DetachBatches: detach}, func(_ context.Context, items []*int) error {
			kept = append(kept, items)
			return nil
		})
		require.NoError(t, err)
		for i := range 20 {
			require.NoError(t, b.Send(bg, &i))
			require.NoError(t, b.Flush(bg))
		}
		require.NoError(t, b.Close())
		for i, items := range kept {
			for _, p := range items {
				require.Equal(t, detach, p != nil, "a recycled slice is cleared, a detached one is the processor's")
				if detach {
					require.Equal(t, i, *p)
				}
			}
		}
	}
}

func TestWorkersBoundConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, most := 0, 0
		var mu sync.Mutex
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, Workers: 3}, func(context.Context, []int) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}))
		start := time.Now()
		for i := range 9 {
			require.NoError(t, b.Send(bg, i))
		}
		synctest.Wait()
		require.Equal(t, 3, b.Stats().InFlight)
		require.NoError(t, b.Close())
		require.Equal(t, 3, most)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestConfigErrorsNameTheField(t *testing.T) {
	fn := func(context.Context, []int) error { return nil }
	for name, cfg := range map[string]batchchan.Config[int]{
		"MaxBatch -1":       {MaxBatch: -1},
		"MaxBytes 5":        {MaxBytes: 5},
		"MaxPendingBytes 5": {MaxPendingBytes: 5},
		"MaxPending -2":     {MaxPending: -2},
		"Workers -3":        {Workers: -3},
		"Shards -4":         {Shards: -4},
		"Overflow 9":        {Overflow: 9},
		"Timeout -1ns":      {Timeout: -1},
		"MaxAttempts -1":    {Retry: batchchan.Retry{MaxAttempts: -1}},
		"PreciseLinger":     {PreciseLinger: true},
	} {
		_, err := batchchan.New(cfg, fn)
		require.ErrorContains(t, err, name)
	}
	_, err := batchchan.New[int](batchchan.Config[int]{}, nil)
	require.Error(t, err)
	require.Equal(t, "DropOldest", batchchan.DropOldest.String())
	require.Equal(t, "Reason(77)", batchchan.Reason(77).String())
	require.Equal(t, "DroppedOldest", batchchan.DroppedOldest.String())
	require.Equal(t, "ByLinger", batchchan.ByLinger.String())
}
