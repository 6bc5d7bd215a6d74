package batchchan_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// Runs: several small batches that one worker takes at a time, see bulk.go. What
// they must not change is everything that a user can see but the time.

// heldRun returns a Batcher in batches of 10 whose worker is held with the items
// 0 to 9, while n more wait; after one step through the gate they are one run.
func heldRun(t *testing.T, cfg batchchan.Config[int], n int) (*batchchan.Batcher[int], *held) {
	h := newHeld()
	cfg.MaxBatch = 10
	b := must[int](t)(batchchan.New(cfg, h.process))
	require.True(t, b.HasRuns(), "this configuration has runs")
	for i := range 10 {
		require.NoError(t, b.Send(bg, i))
	}
	<-h.started
	for i := 10; i < 10+n; i++ {
		require.NoError(t, b.Send(bg, i))
	}
	return b, h
}

// step lets the worker go on to its next batch.
func (h *held) step() {
	h.gate <- struct{}{}
	<-h.started
}

func TestRunIsDeliveredBatchByBatch(t *testing.T) {
	b, h := heldRun(t, batchchan.Config[int]{Linger: -1}, 47)
	for k := range 5 {
		s := b.Stats()
		checkQuiet(t, s)
		require.EqualValues(t, k+1, s.Batches)
		require.EqualValues(t, 10*k, s.Succeeded)
		require.Equal(t, 10, s.InFlight)
		require.Equal(t, 1, s.InFlightBatches)
		require.Equal(t, 47-10*k, s.Pending)
		if k < 4 {
			h.step()
		}
	}
	close(h.gate)
	require.NoError(t, b.Close())
	require.Equal(t, []int{10, 10, 10, 10, 10, 7}, h.sizes())
	require.Equal(t, upTo(57), h.items())
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 5, s.FlushedSize)
	require.EqualValues(t, 1, s.FlushedClose)
	require.EqualValues(t, 6, s.Batches)
}

func TestRunKeepsTheBoundExact(t *testing.T) {
	b, h := heldRun(t, batchchan.Config[int]{Linger: -1, MaxPending: 40, Overflow: batchchan.Reject}, 40)
	require.ErrorIs(t, b.Send(bg, 99), batchchan.ErrFull)
	for next := 50; next < 80; next += 10 {
		h.step()
		many := 0
		if next > 50 { // both must see the run's progress by themselves
			many = 4
		}
		n, err := b.SendMany(bg, upTo(100)[next:next+many])
		require.NoError(t, err)
		require.Equal(t, many, n)
		for i := many; i < 10; i++ {
			require.NoError(t, b.TrySend(next+i), "a batch was begun: there is room for as many")
		}
		require.ErrorIs(t, b.TrySend(99), batchchan.ErrFull)
		n, err = b.SendMany(bg, []int{99})
		require.ErrorIs(t, err, batchchan.ErrFull)
		require.Zero(t, n)
		require.Equal(t, 40, b.Stats().Pending)
	}
	close(h.gate)
	require.NoError(t, b.Close())
	require.Equal(t, upTo(80), h.items())
	checkQuiet(t, b.Stats())
}

// A blocked sender gets the room that the run's next batch makes, not that of its
// end: the processor may wait for what the sender does then.
func TestRunGivesRoomToBlockedSendersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := heldRun(t, batchchan.Config[int]{Linger: -1, MaxPending: 40}, 40)
		h.step() // 10 to 19 are in the processor, 20 to 49 wait in the run
		require.NoError(t, b.Send(bg, 50))
		for i := 51; i < 60; i++ {
			require.NoError(t, b.Send(bg, i))
		}
		sent := make(chan error)
		go func() { sent <- b.Send(bg, 60) }()
		synctest.Wait()
		require.Equal(t, 1, b.Stats().Waiting)
		h.step()
		require.NoError(t, <-sent)
		close(h.gate)
		require.NoError(t, b.Close())
		require.Equal(t, upTo(61), h.items())
		checkQuiet(t, b.Stats())
	})
}

func TestRunFlushWaitsForWhatWasAcceptedAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := heldRun(t, batchchan.Config[int]{Linger: -1}, 15)
		flushed := make(chan error, 1)
		go func() { flushed <- b.Flush(bg) }() // for 0 to 24
		synctest.Wait()
		for i := 25; i < 55; i++ { // fills up that batch, and two more
			require.NoError(t, b.Send(bg, i))
		}
		for range 2 {
			h.step()
			synctest.Wait()
			require.Empty(t, flushed)
		}
		h.step()
		require.NoError(t, <-flushed, "30 to 54 were sent later")
		require.Equal(t, 3, len(h.sizes()))
		require.NoError(t, b.Send(bg, 55))
		h.gate <- struct{}{}
		<-h.started
		h.gate <- struct{}{}
		synctest.Wait()
		require.Equal(t, 6, b.Stats().Pending, "what came after the Flush is not due")
		close(h.gate)
		require.NoError(t, b.Close())
		require.Equal(t, upTo(56), h.items())
	})
}

func TestShutdownTakesBackTheRestOfARun(t *testing.T) {
	b, h := heldRun(t, batchchan.Config[int]{Linger: -1}, 63)
	h.step()
	for i := 73; i < 95; i++ { // behind the run
		require.NoError(t, b.Send(bg, i))
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	back, err := b.Shutdown(ctx)
	require.ErrorContains(t, err, "75 items undelivered, 10 in the processor")
	require.Equal(t, upTo(95)[20:], back)
	<-b.Done()
	require.Equal(t, upTo(20), h.items())
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 75, s.Undelivered)
	require.EqualValues(t, 20, s.Succeeded)
	require.EqualValues(t, 2, s.Batches)
}

func TestRunSurvivesFailures(t *testing.T) {
	var failed []int
	gate := make(chan struct{})
	started := make(chan struct{}, 1)
	attempts := 0
	var seen []int
	b := must[int](t)(batchchan.New(batchchan.Config[int]{
		MaxBatch: 1, Linger: -1, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: 1},
		OnError: func(_ context.Context, _ error, items []int) { failed = append(failed, items...) },
	}, func(_ context.Context, items []int) error {
		switch items[0] {
		case 0:
			started <- struct{}{}
			<-gate
		case 3:
			panic("no")
		case 4:
			runtime.Goexit()
		case 6:
			if attempts++; attempts == 1 {
				return errors.New("once")
			}
		case 8, 9:
			return errors.New("always")
		}
		seen = append(seen, items[0])
		return nil
	}))
	require.NoError(t, b.Send(bg, 0))
	<-started
	for i := 1; i < 10; i++ {
		require.NoError(t, b.Send(bg, i))
	}
	close(gate)
	requireFailed(t, 4, b.Flush(bg))
	require.Equal(t, []int{3, 4, 8, 9}, failed)
	require.Equal(t, []int{0, 1, 2, 5, 6, 7}, seen)
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 6, s.Succeeded)
	require.EqualValues(t, 4, s.Failed)
	require.EqualValues(t, 3, s.Retried)
	require.EqualValues(t, 1, s.Panics)
	require.EqualValues(t, 10, s.Batches)
	require.NoError(t, b.Close())
}

// What is not a full batch does not go along with a run: it stays where it can
// grow, and ages from its own first item.
func TestRunLeavesWhatIsNotDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		var ats []time.Duration
		start := time.Now()
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 10, Linger: 10 * time.Second}, func(_ context.Context, items []int) error {
			sizes = append(sizes, len(items))
			ats = append(ats, time.Since(start))
			time.Sleep(time.Second)
			return nil
		}))
		for range 25 {
			require.NoError(t, b.Send(bg, 1)) // the first 10 go at once
		}
		time.Sleep(500 * time.Millisecond)
		for range 8 { // 10 more are full, and 3 came now
			require.NoError(t, b.Send(bg, 1))
		}
		time.Sleep(4 * time.Second)
		require.NoError(t, b.Send(bg, 1))
		time.Sleep(20 * time.Second)
		require.NoError(t, b.Close())
		require.Equal(t, []int{10, 10, 10, 4}, sizes)
		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 10*time.Second + 500*time.Millisecond}, ats)
		s := b.Stats()
		require.Equal(t, 10*time.Second, s.Age.Max)
	})
}

// Batches of a run must not be reachable from one another.
func TestRunBatchesDoNotShareTheirEnds(t *testing.T) {
	gate := make(chan struct{})
	var got []int
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 2, Linger: -1}, func(_ context.Context, items []int) error {
		<-gate
		got = append(got, items...)
		_ = append(items, -1, -1)
		return nil
	}))
	for i := range 100 {
		require.NoError(t, b.Send(bg, i))
	}
	close(gate)
	require.NoError(t, b.Close())
	require.Equal(t, upTo(100), got)
}

// Quick batches are timed together. That must not hide a slow one, nor how old
// the ones behind it were.
func TestRunTimesEachBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, Linger: -1}, func(context.Context, []int) error {
			switch n++; n {
			case 1:
				time.Sleep(time.Second)
			case 14:
				time.Sleep(time.Minute)
			}
			return nil
		}))
		for range 40 {
			require.NoError(t, b.Send(bg, 1))
		}
		require.NoError(t, b.Close())
		s := b.Stats()
		require.EqualValues(t, 40, s.Batches)
		require.EqualValues(t, 40, s.Processing.Count)
		require.EqualValues(t, 40, s.Age.Count)
		require.InDelta(t, time.Minute, s.Processing.Max, float64(time.Millisecond))
		require.InDelta(t, time.Minute+time.Second, s.Age.Max, float64(time.Millisecond))
		require.Less(t, s.Processing.P50, time.Millisecond)
	})
}
