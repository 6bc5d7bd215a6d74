package workerpool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// The cap is exact through panics and Goexits, and the order is that of submission.
func TestViewCapAndOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		cfg.OnPanic = func(*workerpool.PanicError) {}
		p := newPool(t, cfg)
		for _, limit := range []int{1, 3} {
			v := p.Limit(limit)
			var in, over, ran atomic.Int64
			next := 0
			for i := range 60 {
				err := v.Submit(func() {
					if in.Add(1) > int64(limit) {
						over.Add(1)
					}
					if limit == 1 {
						if next != i {
							t.Errorf("task %d runs as number %d", i, next)
						}
						next++
					}
					ran.Add(1)
					in.Add(-1)
					switch i % 5 {
					case 0:
						panic("x")
					case 1:
						runtime.Goexit()
					}
				})
				if err != nil {
					t.Error(err)
				}
			}
			require.NoError(t, p.Wait(bg), "waits for what is in the views' queues too")
			require.EqualValues(t, 60, ran.Load())
			require.Zero(t, over.Load())
			st := v.Stats()
			require.EqualValues(t, 60, st.Ended)
			require.Zero(t, st.Running+st.Queued+st.Waiters)
		}
		closeAndCheck(t, p)
	})
}

// Everything a view accepted before Close has run when Close returns, although
// its tasks wait in a queue that the pool does not see, behind a submitter that
// waits for room in the pool and is refused.
func TestViewVersusClose(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for i := range scaled(200) {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Spin: -1})
			v := p.Limit(1 + i%2)
			var accepted, ran atomic.Int64
			var all sync.WaitGroup
			for k := range 4 {
				all.Go(func() {
					submit := v.Submit
					if k == 0 {
						submit = p.Submit
					}
					for range 1000 {
						err := submit(func() { ran.Add(1) })
						if err != nil {
							if !errors.Is(err, workerpool.ErrClosed) {
								t.Error(err)
							}
							return
						}
						accepted.Add(1)
					}
				})
			}
			if i%3 > 0 {
				until(t, "some", func() bool { return accepted.Load() > 10 })
			}
			require.NoError(t, p.Close())
			done := ran.Load()
			all.Wait()
			require.Equal(t, accepted.Load(), done)
			closeAndCheck(t, p)
		}
	})
}

func TestViewPolicies(t *testing.T) {
	watch(t)
	for _, policy := range []workerpool.Overflow{workerpool.Reject, workerpool.CallerRuns, workerpool.DropNewest, workerpool.DropOldest} {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: 1, Overflow: policy})
		v := p.Limit(1)
		gate, open := newGate(t)
		in := make(chan struct{})
		require.NoError(t, v.Submit(func() { close(in); <-gate }))
		<-in
		var first, second bool
		require.NoError(t, v.Submit(func() { first = true }))
		require.ErrorIs(t, v.TrySubmit(func() {}), workerpool.ErrFull)
		result := make(chan error, 1)
		go func() { result <- v.Submit(func() { second = true }) }()
		if policy == workerpool.CallerRuns { // it waits, as it may not run above the cap
			until(t, "a submitter waits", func() bool { return v.Stats().Waiters == 1 })
			require.False(t, second)
			open()
		}
		err := <-result
		ctx, cancel := context.WithCancel(bg)
		cancel()
		require.ErrorIs(t, v.SubmitContext(ctx, func() { t.Error("ran") }), context.Canceled)
		open()
		require.NoError(t, p.Wait(bg))
		switch policy {
		case workerpool.Reject:
			require.ErrorIs(t, err, workerpool.ErrFull)
			require.Equal(t, [2]bool{true, false}, [2]bool{first, second})
		case workerpool.CallerRuns:
			require.NoError(t, err)
			require.Equal(t, [2]bool{true, true}, [2]bool{first, second})
		case workerpool.DropNewest:
			require.NoError(t, err)
			require.Equal(t, [2]bool{true, false}, [2]bool{first, second})
			require.EqualValues(t, 1, v.Stats().Dropped)
		case workerpool.DropOldest:
			require.NoError(t, err)
			require.Equal(t, [2]bool{false, true}, [2]bool{first, second})
			require.EqualValues(t, 1, v.Stats().Dropped)
		}
		closeAndCheck(t, p)
	}
}

// A submitter whose ctx ends while it waits in a view leaves no trace.
func TestViewContextEnds(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		v := p.Limit(1)
		var accepted, ran atomic.Int64
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				for range scaled(400) {
					ctx, cancel := context.WithCancel(bg)
					go cancel()
					err := v.SubmitContext(ctx, func() { ran.Add(1) })
					if err == nil {
						accepted.Add(1)
					} else if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		require.NoError(t, p.Wait(bg))
		require.Equal(t, accepted.Load(), ran.Load())
		require.Zero(t, v.Stats().Running)
		closeAndCheck(t, p)
	})
}

// Tasks of a view at an expired Shutdown: futures resolve, nothing hangs.
func TestViewAtAnExpiredShutdown(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		v := p.Limit(1)
		in := make(chan struct{})
		running := workerpool.Go(bg, p, func(ctx context.Context) (int, error) {
			close(in)
			<-ctx.Done()
			return 0, nil
		}, workerpool.WithView(v))
		<-in
		results := make(chan error)
		for range 3 {
			go func() {
				results <- v.Do(bg, workerpool.Task{Run: func(context.Context) error { t.Error("ran"); return nil }})
			}()
		}
		until(t, "3 wait", func() bool { st := v.Stats(); return st.Queued+st.Waiters == 3 })
		ctx, cancel := context.WithCancel(bg)
		cancel()
		var se *workerpool.ShutdownError
		require.ErrorAs(t, p.Shutdown(ctx), &se)
		for range 3 {
			require.ErrorIs(t, <-results, workerpool.ErrClosed)
		}
		_, err := running.Wait(bg)
		require.NoError(t, err)
		require.NoError(t, p.Close())
		checkBooks(t, p.Stats())
	})
}

// A task submitted by a view's end on a pool without a queue must get a worker
// although its place was lent: Do in a task at MaxWorkers 1, then its future.
func TestViewOnNoQueueWithLentPlaces(t *testing.T) {
	watch(t)
	for range scaled(300) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.NoQueue})
		v := p.Limit(1)
		futs := make(chan *workerpool.Future[int], 1)
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
			in, gate := make(chan struct{}), make(chan struct{})
			var sub sync.WaitGroup
			err := p.Blocking(ctx, func() {
				first := workerpool.Go(ctx, p, func(context.Context) (int, error) { close(in); <-gate; return 1, nil }, workerpool.WithView(v))
				<-in
				sub.Go(func() { // queues behind the first
					futs <- workerpool.Go(bg, p, func(context.Context) (int, error) { return 2, nil }, workerpool.WithView(v))
				})
				until(t, "blocked", func() bool { return v.Stats().Waiters == 1 })
				close(gate)
				_, _ = first.Wait(ctx)
			})
			sub.Wait()
			n, err2 := (<-futs).Wait(ctx)
			require.Equal(t, 2, n)
			return errors.Join(err, err2)
		}}))
		closeAndCheck(t, p)
	}
}

func TestViewOfAnotherPool(t *testing.T) {
	watch(t)
	p, other := newPool(t, workerpool.Config{}), newPool(t, workerpool.Config{})
	never := func(context.Context) (int, error) { t.Error("ran"); return 0, nil }
	for _, v := range []*workerpool.View{other.Limit(1), new(workerpool.View), (*workerpool.Pool)(nil).Limit(1)} {
		_, err := workerpool.Go(bg, p, never, workerpool.WithView(v)).Wait(bg)
		require.EqualError(t, err, "workerpool: WithView: a view of another pool")
	}
}

// One submission drops one task, although a view puts the next of its own in
// the place of a dropped one.
func TestDropOldestTakesOneTaskOfAView(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: 3, Overflow: workerpool.DropOldest})
	release := occupy(t, p, 1)
	v := p.Limit(3)
	var ran atomic.Int64
	for range 6 { // three fill the pool's queue, three wait in the view's
		require.NoError(t, v.Submit(func() { ran.Add(1) }))
	}
	require.NoError(t, p.Submit(func() { ran.Add(1) }))
	release()
	st := closeAndCheck(t, p)
	require.EqualValues(t, 1, st.Dropped)
	require.EqualValues(t, 6, ran.Load())
}
