package batchchan_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// otel-go#1178: spans that were sent before the flush are dropped by it, or come
// after it.
func TestFlushIsABarrier(t *testing.T) {
	var processed atomic.Int64
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 64, Linger: -1, Workers: 4, Shards: 4}, func(_ context.Context, items []int) error {
		processed.Add(int64(len(items)))
		return nil
	}))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := b.Producer()
			for range 200 {
				require.NoError(t, b.Send(bg, 1))
				require.NoError(t, p.Send(bg, 1))
				require.NoError(t, b.TrySend(1))
				before := b.Stats().Accepted
				require.NoError(t, b.Flush(bg))
				require.GreaterOrEqual(t, uint64(processed.Load()), before)
			}
		})
	}
	wg.Wait()
	require.NoError(t, b.Close())
	require.EqualValues(t, 4*200*3, processed.Load())
}

// google-api-go#475: the flush by time and one by hand wait for each other.
func TestTimerAndManualFlushTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 10, MaxPending: 10, Linger: time.Millisecond}, func(_ context.Context, items []int) error {
			time.Sleep(3 * time.Millisecond)
			n += len(items)
			return nil
		}))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				for i := range 100 {
					require.NoError(t, b.Send(bg, i))
					if i%7 == 0 {
						time.Sleep(time.Millisecond)
					}
					if i%10 == 0 {
						require.NoError(t, b.Flush(bg))
					}
				}
			})
		}
		wg.Wait()
		require.NoError(t, b.Close())
		require.Equal(t, 500, n)
	})
}

// google-cloud-go#1273: 122 000 goroutines stuck in Flush, each with a barrier of
// its own.
func TestManyFlushesShareABarrierAndAllEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1}, h.process))
		require.NoError(t, b.Send(bg, 1))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 2000 {
			wg.Go(func() {
				if i%2 == 0 {
					require.ErrorIs(t, b.Flush(ctx), context.DeadlineExceeded)
				} else {
					require.NoError(t, b.Flush(bg))
				}
			})
		}
		synctest.Wait()
		require.Equal(t, 1, b.Flushes())
		time.Sleep(2 * time.Second)
		close(h.gate)
		wg.Wait()
		require.Zero(t, b.Flushes())
		require.NoError(t, b.Close())
	})
}

// franz-go#726: a buffer that is full but not a full batch is never flushed.
func TestFullBufferIsFlushed(t *testing.T) {
	for name, cfg := range map[string]batchchan.Config[int]{
		"items":  {MaxBatch: 100, MaxPending: 5, Linger: -1},
		"bytes":  {MaxBatch: 100, MaxPendingBytes: 5, SizeOf: func(int) int { return 1 }, Linger: -1},
		"bytes2": {MaxBatch: 100, MaxBytes: 50, MaxPendingBytes: 5, SizeOf: func(int) int { return 2 }, Linger: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var got collector[int]
			b := must[int](t)(batchchan.New(cfg, got.process))
			for i := range 50 {
				require.NoError(t, b.Send(bg, i))
			}
			require.NoError(t, b.Close())
			require.Equal(t, upTo(50), got.items())
			for _, n := range got.sizes() {
				require.LessOrEqual(t, n, 5)
			}
		})
	}
	// The same where nobody waits, and with the room set aside for lanes.
	var got collector[int]
	b := must[int](t)(batchchan.New(batchchan.Config[int]{
		MaxBatch: 100, MaxPendingBytes: 5, SizeOf: func(int) int { return 2 }, Linger: -1, Overflow: batchchan.Reject,
	}, got.process))
	for b.Stats().Delivered == 0 {
		b.TrySend(1)
	}
	require.NoError(t, b.Close())

	lanes := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 4, MaxPending: 8, Linger: -1, Overflow: batchchan.Reject}, got.process))
	p, p2 := lanes.Producer(), lanes.Producer()
	require.NoError(t, p.Send(bg, 1))
	require.NoError(t, p2.Send(bg, 1))
	for range 6 {
		require.NoError(t, lanes.TrySend(1), "what the lanes set aside and do not use is there for others")
	}
	require.NoError(t, lanes.Close())
	require.EqualValues(t, 8, lanes.Stats().Succeeded)
}

// A prototype's: the timer steals a batch after Close has decided what is left.
func TestTimerAtClose(t *testing.T) {
	for range 300 {
		var got collector[int]
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 100, Linger: time.Microsecond, Workers: 2}, got.process))
		for i := range 5 {
			require.NoError(t, b.Send(bg, i))
		}
		require.NoError(t, b.Close())
		require.Len(t, got.items(), 5)
	}
}
