package batchchan

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBatchesBySizeAndRestAtClose(t *testing.T) {
	var got collector[int]
	b := must[int](t)(New(Config[int]{MaxBatch: 10, Linger: -1}, got.process))
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
		b := must[int](t)(New(Config[int]{}, func(ctx context.Context, items []int) error {
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
	b, err := New(Config[string]{MaxBatch: 100, MaxBytes: 10, SizeOf: func(s string) int { return len(s) }, Linger: -1}, got.process)
	require.NoError(t, err)
	for _, s := range []string{"aaaa", "bbbb", "cccc", "dddddd", "e", "ffffffffff", "g"} {
		require.NoError(t, b.Send(bg, s))
	}
	require.ErrorIs(t, b.Send(bg, "12345678901"), ErrTooLarge)
	require.ErrorIs(t, b.TrySend("12345678901"), ErrTooLarge)
	n, err := b.SendMany(bg, []string{"h", "12345678901", "i"})
	require.ErrorIs(t, err, ErrTooLarge)
	require.Equal(t, 1, n)
	require.NoError(t, b.Close())
	require.Equal(t, [][]string{{"aaaa", "bbbb"}, {"cccc", "dddddd"}, {"e"}, {"ffffffffff"}, {"g", "h"}}, got.batches)
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 3, s.Rejected)
	require.EqualValues(t, 4, s.FlushedBytes)
}

// bundler lets a batch grow tenfold over its limit while the handler is busy.
func TestByteCapHoldsUnderABusyProcessor(t *testing.T) {
	gate := make(chan struct{})
	var sizes []int
	b, err := New(Config[int]{MaxBatch: 1000, MaxBytes: 100, SizeOf: func(n int) int { return n }}, func(_ context.Context, items []int) error {
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
func full(t *testing.T, cfg Config[int]) (*Batcher[int], *held) {
	h := newHeld()
	cfg.MaxBatch, cfg.MaxPending = 2, 4
	b := must[int](t)(New(cfg, h.process))
	require.NoError(t, b.Send(bg, 0))
	<-h.started
	for i := 1; i <= 4; i++ {
		require.NoError(t, b.Send(bg, i))
	}
	require.Equal(t, 4, b.Stats().Pending)
	return b, h
}

func TestRejectWhenFull(t *testing.T) {
	b, h := full(t, Config[int]{Overflow: Reject})
	require.ErrorIs(t, b.Send(bg, 5), ErrFull)
	require.ErrorIs(t, b.TrySend(5), ErrFull)
	n, err := b.SendMany(bg, []int{5, 6})
	require.ErrorIs(t, err, ErrFull)
	require.Zero(t, n)
	close(h.gate)
	require.NoError(t, b.Close())
	require.Equal(t, upTo(5), h.items())
	require.EqualValues(t, 3, b.Stats().Rejected)
	checkQuiet(t, b.Stats())
}

func TestDropNewestAndOldest(t *testing.T) {
	for _, policy := range []Overflow{DropNewest, DropOldest} {
		t.Run(policy.String(), func(t *testing.T) {
			var dropped []int
			b, h := full(t, Config[int]{Overflow: policy, OnDrop: func(i int, why DropReason) {
				require.Equal(t, policy == DropNewest, why == DroppedNewest)
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
			if policy == DropNewest {
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
	b := must[int](t)(New(Config[int]{
		MaxPendingBytes: 100, SizeOf: func(n int) int { return n }, Overflow: DropOldest, Linger: -1,
		OnDrop: func(i int, _ DropReason) { dropped = append(dropped, i) },
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

func TestCallerRuns(t *testing.T) {
	h := newHeld()
	calls := 0
	b := must[int](t)(New(Config[int]{MaxBatch: 2, MaxPending: 4, Overflow: CallerRuns}, func(ctx context.Context, items []int) error {
		if items[0] == 0 {
			return h.process(ctx, items)
		}
		calls++
		return h.collector.process(ctx, items)
	}))
	require.NoError(t, b.Send(bg, 0))
	<-h.started
	for i := 1; i <= 4; i++ {
		require.NoError(t, b.Send(bg, i))
	}
	require.ErrorIs(t, b.TrySend(5), ErrFull)
	require.NoError(t, b.Send(bg, 5))
	require.Equal(t, []int{1, 2}, h.items(), "the sender processed the oldest batch")
	require.NoError(t, b.Send(bg, 6))
	require.NoError(t, b.Send(bg, 7))
	require.Equal(t, []int{1, 2, 3, 4}, h.items())
	close(h.gate)
	require.NoError(t, b.Close())
	require.ElementsMatch(t, upTo(8), h.items())
	checkQuiet(t, b.Stats())
}

func TestCallerRunsSurvivesGoexitAndPanic(t *testing.T) {
	h := newHeld()
	b := must[int](t)(New(Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: CallerRuns}, func(ctx context.Context, items []int) error {
		switch items[0] {
		case 0:
			return h.process(ctx, items)
		case 1:
			runtime.Goexit()
		case 2:
			panic("no")
		}
		return nil
	}))
	require.NoError(t, b.Send(bg, 0))
	<-h.started
	require.NoError(t, b.Send(bg, 1))
	var wg sync.WaitGroup
	wg.Go(func() { b.Send(bg, 9); t.Error("Goexit ends the sender") })
	wg.Wait()
	require.NoError(t, b.Send(bg, 2))
	require.NoError(t, b.Send(bg, 3))
	close(h.gate)
	require.NoError(t, b.Close())
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 2, s.Failed)
	require.EqualValues(t, 2, s.Succeeded)
	require.EqualValues(t, 1, s.Panics)
}

func TestBlockedSendersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := full(t, Config[int]{})
		var wg sync.WaitGroup
		for i := 5; i < 15; i++ {
			wg.Go(func() { require.NoError(t, b.Send(bg, i)) })
			synctest.Wait()
		}
		s := b.Stats()
		require.Equal(t, 10, s.Waiting)
		require.EqualValues(t, 10, s.Blocked)
		time.Sleep(time.Second)
		close(h.gate)
		wg.Wait()
		require.NoError(t, b.Close())
		require.Equal(t, upTo(15), h.items())
		require.Equal(t, 10*time.Second, b.Stats().BlockedTime)
		checkQuiet(t, b.Stats())
	})
}

// rclone#9690: a blocked send that ignores its context.
func TestContextEndsABlockedSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := full(t, Config[int]{})
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, b.Send(ctx, 99), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, b.SendTimeout(99, time.Second), ErrTimeout)
		require.Equal(t, 2*time.Second, time.Since(start))
		require.ErrorIs(t, b.SendTimeout(99, 0), ErrFull)
		require.ErrorIs(t, b.SendTimeout(99, -1), ErrFull)
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

func TestDoneContextWins(t *testing.T) {
	var got collector[int]
	b := must[int](t)(New(Config[int]{Shards: 2}, got.process))
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

func TestSendManyWaitsForRoomAndSaysHowMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(New(Config[int]{MaxBatch: 2, MaxPending: 4}, h.process))
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

func TestSliceIsClearedAndRecycledAndDetached(t *testing.T) {
	for _, detach := range []bool{false, true} {
		var kept [][]*int
		b, err := New(Config[*int]{MaxBatch: 2, DetachBatches: detach}, func(_ context.Context, items []*int) error {
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
		b := must[int](t)(New(Config[int]{MaxBatch: 1, Workers: 3}, func(context.Context, []int) error {
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
	for name, cfg := range map[string]Config[int]{
		"MaxBatch -1":       {MaxBatch: -1},
		"MaxBytes 5":        {MaxBytes: 5},
		"MaxPendingBytes 5": {MaxPendingBytes: 5},
		"MaxPending -2":     {MaxPending: -2},
		"Workers -3":        {Workers: -3},
		"Shards -4":         {Shards: -4},
		"Overflow 9":        {Overflow: 9},
		"Timeout -1ns":      {Timeout: -1},
		"MaxAttempts -1":    {Retry: Retry{MaxAttempts: -1}},
		"PreciseLinger":     {PreciseLinger: true},
	} {
		_, err := New(cfg, fn)
		require.ErrorContains(t, err, name)
	}
	_, err := New[int](Config[int]{}, nil)
	require.Error(t, err)
	require.Equal(t, "DropOldest", DropOldest.String())
	require.Equal(t, "batchchan(77)", Reason(77).String())
	require.Equal(t, "DroppedOldest", DroppedOldest.String())
	require.Equal(t, "ByLinger", ByLinger.String())
}

func TestCallsFromWithinTheProcessorDoNotHang(t *testing.T) {
	var b *Batcher[int]
	var errs []error
	var n int
	b = must[int](t)(New(Config[int]{MaxBatch: 1, MaxPending: 1}, func(ctx context.Context, items []int) error {
		if n++; n > 1 {
			return nil
		}
		_, err := b.Shutdown(ctx)
		errs = append(errs, b.Flush(ctx), err, b.Send(ctx, 1), b.Send(ctx, 2))
		return nil
	}))
	require.NoError(t, b.Send(bg, 0))
	require.NoError(t, b.Flush(bg))
	require.NoError(t, b.Close())
	require.Len(t, errs, 4)
	require.ErrorIs(t, errs[0], ErrInProcessor)
	require.ErrorIs(t, errs[1], ErrInProcessor)
	require.NoError(t, errs[2])
	require.ErrorIs(t, errs[3], ErrFull, "waiting for room would be waiting for itself")
}

func TestPanicIsContained(t *testing.T) {
	var failed []int
	var cause error
	b := must[int](t)(New(Config[int]{
		MaxBatch: 2, Name: "orders", Retry: Retry{MaxAttempts: 5},
		OnError: func(err error, items []int) {
			cause = err
			failed = append(failed, items...)
			panic("a panic in OnError is contained, too")
		},
	}, func(_ context.Context, items []int) error {
		if items[0] == 2 {
			panic(errors.New("boom"))
		}
		return nil
	}))
	for i := range 6 {
		require.NoError(t, b.Send(bg, i))
		require.NoError(t, b.Flush(bg))
	}
	require.NoError(t, b.Close())
	var p *PanicError
	require.ErrorAs(t, cause, &p)
	require.ErrorContains(t, p.Unwrap(), "boom")
	require.Contains(t, string(p.Stack), "batcher_test.go")
	require.Contains(t, p.Error(), "boom")
	require.Equal(t, []int{2}, failed)
	s := b.Stats()
	require.EqualValues(t, 2, s.Panics)
	require.EqualValues(t, 1, s.Failed)
	require.EqualValues(t, 5, s.Succeeded)
	require.Zero(t, s.Retried, "a panic is not retried")
	require.Equal(t, "orders", s.Name)
}

func TestGoexitIsSurvived(t *testing.T) {
	var cause error
	b := must[int](t)(New(Config[int]{MaxBatch: 1, OnError: func(err error, _ []int) { cause = err }}, func(_ context.Context, items []int) error {
		if items[0] == 1 {
			runtime.Goexit()
		}
		return nil
	}))
	for i := range 4 {
		require.NoError(t, b.Send(bg, i))
	}
	require.NoError(t, b.Close())
	require.ErrorIs(t, cause, ErrGoexit)
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 3, s.Succeeded)
	require.EqualValues(t, 1, s.Failed)
}
