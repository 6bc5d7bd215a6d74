package batchchan_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// No path allocates per item, once buffers have grown. Batches may, in a Queue:
// one Batch each.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	discard := func(context.Context, []int) error { return nil }
	// perItem runs f, which sends n items, and wants less than 1 in 20 to allocate.
	perItem := func(name string, n int, f func()) {
		t.Helper()
		for range 200 {
			f()
		}
		require.Less(t, testing.AllocsPerRun(100, f)/float64(n), 0.05, name)
	}
	for _, cfg := range []batchchan.Config[int]{
		{MaxBatch: 10, MaxPending: 200, Linger: -1},
		{MaxBatch: 10, MaxPending: 200},
		{MaxBatch: 10, MaxPending: 20},
		{MaxBatch: 10, MaxPending: 20, Overflow: batchchan.DropOldest},
		{MaxBatch: 10, MaxPending: 20, Overflow: batchchan.CallerRuns},
		{MaxBatch: 10, MaxBytes: 60, MaxPendingBytes: 100, SizeOf: func(int) int { return 8 }},
		{MaxBatch: 10, MaxPendingBytes: 100, SizeOf: func(int) int { return 8 }, Overflow: batchchan.DropOldest},
		{MaxBatch: 10, MaxPending: 200, Shards: 4},
	} {
		b := must[int](t)(batchchan.New(cfg, discard))
		p := b.Producer()
		ctx, cancel := context.WithCancel(bg)
		many := upTo(100)
		perItem("Send", 100, func() {
			for i := range 100 {
				b.Send(ctx, i)
			}
		})
		perItem("TrySend", 100, func() {
			for i := range 100 {
				b.TrySend(i)
			}
		})
		perItem("Producer", 100, func() {
			for i := range 100 {
				p.Send(ctx, i)
			}
		})
		perItem("SendMany", 100, func() { b.SendMany(ctx, many) })
		require.NoError(t, b.Close())
		cancel()
	}

	q, err := batchchan.NewQueue(batchchan.Config[int]{MaxBatch: 100, Linger: -1})
	require.NoError(t, err)
	perItem("Queue", 100, func() {
		for i := range 100 {
			q.Send(bg, i)
		}
		b, _ := q.Recv(bg)
		b.Release()
	})
	require.NoError(t, q.Close())

	p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{Config: batchchan.Config[int]{MaxBatch: 100, Linger: -1}}, func(_ context.Context, in, out []int) ([]int, error) {
		return append(out, in...), nil
	})
	require.NoError(t, err)
	buf := make([]int, 100)
	perItem("Pipe", 100, func() {
		for i := range 100 {
			p.Send(bg, i)
		}
		for n := 0; n < 100; {
			k, _ := p.RecvMany(bg, buf)
			n += k
		}
	})
	require.NoError(t, p.Close())

	k, err := batchchan.NewCaller(batchchan.Config[int]{}, func(context.Context, []int, []batchchan.Result[int]) error { return nil })
	require.NoError(t, err)
	perItem("Do", 1, func() { k.Do(bg, 1) })
	require.NoError(t, k.Close())

	y, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 10, MaxPending: 20}}, func(i int) int { return i % 7 },
		func(context.Context, int, []int) error { return nil })
	require.NoError(t, err)
	perItem("Keyed", 100, func() {
		for i := range 100 {
			y.Send(bg, i)
		}
	})
	require.NoError(t, y.Close())

	c := batchchan.NewChan[int](4)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	go func() {
		for {
			if _, err := c.Recv(ctx); err != nil {
				return
			}
		}
	}()
	perItem("Chan", 100, func() {
		for i := range 100 {
			c.Send(ctx, i)
		}
		c.SendMany(ctx, buf)
	})
	c.Close()
}

// Send's fast path touches one line of the Batcher: see engine.
func TestFastPathIsOnOneLine(t *testing.T) {
	lock, room := batchchan.HotOffsets()
	require.Less(t, int(lock), 64)
	require.Less(t, int(room), 64)
}
