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

// A processor that is held until the test lets it go.
type held struct {
	collector[int]
	gate    chan struct{}
	started chan struct{}
}

func newHeld() *held {
	return &held{gate: make(chan struct{}), started: make(chan struct{}, 1000)}
}

func (h *held) process(ctx context.Context, items []int) error {
	h.started <- struct{}{}
	select {
	case <-h.gate:
	case <-ctx.Done():
	}
	return h.collector.process(ctx, items)
}

// full returns a Batcher whose worker is held with item 0 and whose buffer is
// full with the items 1 to 4.
func full(t *testing.T, cfg batchchan.Config[int]) (*batchchan.Batcher[int], *held) {
	h := newHeld()
	cfg.MaxBatch, cfg.MaxPending = 2, 4
	b := must[int](t)(batchchan.New(cfg, h.process))
	require.NoError(t, b.Send(bg, 0))
	<-h.started
	for i := 1; i <= 4; i++ {
		require.NoError(t, b.Send(bg, i))
	}
	require.Equal(t, 4, b.Stats().Pending)
	return b, h
}

func TestRejectWhenFull(t *testing.T) {
	b, h := full(t, batchchan.Config[int]{Overflow: batchchan.Reject})
	require.ErrorIs(t, b.Send(bg, 5), batchchan.ErrFull)
	require.ErrorIs(t, b.TrySend(5), batchchan.ErrFull)
	n, err := b.SendMany(bg, []int{5, 6})
	require.ErrorIs(t, err, batchchan.ErrFull)
	require.Zero(t, n)
	close(h.gate)
	require.NoError(t, b.Close())
	require.Equal(t, upTo(5), h.items())
	require.EqualValues(t, 4, b.Stats().Rejected)
	checkQuiet(t, b.Stats())
}

func TestDropNewestAndOldest(t *testing.T) {
	for _, policy := range []batchchan.Overflow{batchchan.DropNewest, batchchan.DropOldest} {
		t.Run(policy.String(), func(t *testing.T) {
			var dropped []int
			b, h := full(t, batchchan.Config[int]{Overflow: policy, OnDrop: func(i int, why batchchan.DropReason) {
				require.Equal(t, policy == batchchan.DropNewest, why == batchchan.DroppedNewest)
				dropped = append(dropped, i)
				panic("a panic in OnDrop is contained")
			}})
			require.NoError(t, b.Send(bg, 5))
			require.NoError(t, b.TrySend(6))
			n, err := b.SendMany(bg, []int{7})
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, 4, b.Stats().Pending)
			close(h.gate)
			require.NoError(t, b.Close())
			if policy == batchchan.DropNewest {
				require.Equal(t, []int{5, 6, 7}, dropped)
				require.Equal(t, upTo(5), h.items())
			} else {
				require.Equal(t, []int{1, 2, 3}, dropped)
				require.Equal(t, []int{0, 4, 5, 6, 7}, h.items())
			}
			require.EqualValues(t, 3, b.Stats().Dropped())
			require.EqualValues(t, 3, b.Stats().Panics)
			checkQuiet(t, b.Stats())
		})
	}
}

func TestDropOldestMakesRoomInBytes(t *testing.T) {
	var dropped []int
	h := newHeld()
	b := must[int](t)(batchchan.New(batchchan.Config[int]{
		MaxPendingBytes: 100, SizeOf: func(n int) int { return n }, Overflow: batchchan.DropOldest, Linger: -1,
		OnDrop: func(i int, _ batchchan.DropReason) { dropped = append(dropped, i) },
	}, h.process))
	for _, n := range []int{10, 20, 30, 40} {
		require.NoError(t, b.Send(bg, n))
	}
	require.Equal(t, 100, b.Stats().PendingBytes)
	require.NoError(t, b.Send(bg, 55))
	<-h.started // a full buffer is due, whatever the triggers say
	close(h.gate)
	require.NoError(t, b.Close())
	require.ElementsMatch(t, []int{10, 20, 30, 40, 55}, append(dropped, h.items()...))
	checkQuiet(t, b.Stats())
}

func TestBlockedSendersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := full(t, batchchan.Config[int]{})
		var wg sync.WaitGroup
		for i := 5; i < 15; i++ {
			wg.Go(func() { require.NoError(t, b.Send(bg, i)) })
			synctest.Wait()
		}
		s := b.Stats()
		require.Equal(t, 10, s.Waiting)
		require.EqualValues(t, 10, s.Waits)
		time.Sleep(time.Second)
		close(h.gate)
		wg.Wait()
		require.NoError(t, b.Close())
		require.Equal(t, upTo(15), h.items())
		require.Equal(t, 10*time.Second, b.Stats().WaitTime)
		checkQuiet(t, b.Stats())
	})
}

// rclone#9690: a blocked send that ignores its context.
func TestContextEndsABlockedSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := full(t, batchchan.Config[int]{})
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, b.Send(ctx, 99), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, b.SendTimeout(99, time.Second), batchchan.ErrTimeout)
		require.Equal(t, 2*time.Second, time.Since(start))
		require.ErrorIs(t, b.SendTimeout(99, 0), batchchan.ErrFull)
		require.ErrorIs(t, b.SendTimeout(99, -1), batchchan.ErrFull)
		n, err := b.SendMany(ctx, []int{99})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, n)
		close(h.gate)
		require.NoError(t, b.Send(bg, 5))
		require.NoError(t, b.Close())
		require.Equal(t, upTo(6), h.items(), "the refused items went nowhere")
		checkQuiet(t, b.Stats())
	})
}

func TestSendManyWaitsForRoomAndSaysHowMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 2, MaxPending: 4}, h.process))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		n, err := b.SendMany(ctx, upTo(100))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 6, n, "one batch in the processor and four items waiting")
		close(h.gate)
		n, err = b.SendMany(bg, upTo(100)[6:])
		require.NoError(t, err)
		require.Equal(t, 94, n)
		require.NoError(t, b.Close())
		require.Equal(t, upTo(100), h.items())
		n, err = b.SendMany(bg, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		checkQuiet(t, b.Stats())
	})
}
