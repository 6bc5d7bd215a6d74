package workerpool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// Every accepted task has run when Close returns, and none runs afterwards.
func TestCloseVersusSubmit(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		for round := range scaled(8) {
			p := newPool(t, cfg)
			var accepted, ran atomic.Int64
			var closed atomic.Bool
			var producers sync.WaitGroup
			some := make(chan struct{}, 1)
			for range 3 {
				producers.Go(func() {
					for i := 0; ; i++ {
						err := p.Submit(func() {
							if closed.Load() {
								t.Error("a task runs after Close has returned")
							}
							ran.Add(1)
						})
						if err != nil {
							require.ErrorIs(t, err, workerpool.ErrClosed)
							return
						}
						accepted.Add(1)
						if i == 10*round {
							select {
							case some <- struct{}{}:
							default:
							}
						}
					}
				})
			}
			<-some
			require.NoError(t, p.Close())
			done := ran.Load()
			closed.Store(true)
			producers.Wait()
			require.Equal(t, accepted.Load(), done, "accepted and run")
			st := closeAndCheck(t, p)
			require.EqualValues(t, done, st.Completed, "%+v", st)
		}
	})
}

// Stop loses the queue in naive pools: 50 accepted, 0 run.
func TestCloseWithNoLiveWorkerAndANonEmptyQueue(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		if size == workerpool.NoQueue {
			t.Skip("nothing can be queued")
		}
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
		require.NoError(t, p.Pause(bg))
		var ran atomic.Int64
		n := int64(0)
		for range 3000 {
			if p.TrySubmit(func() { ran.Add(1) }) == nil {
				n++
			}
		}
		require.Zero(t, p.Stats().Workers)
		require.EqualValues(t, n, p.Stats().Queued)
		st := closeAndCheck(t, p)
		require.Equal(t, n, ran.Load())
		require.EqualValues(t, n, st.Completed)
	})
}

func TestCloseIsIdempotentAndConcurrent(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for range scaled(100) {
			p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
			var ran atomic.Int64
			for range 2 {
				require.NoError(t, p.Submit(func() { runtime.Gosched(); ran.Add(1) }))
			}
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					if i%2 == 0 {
						require.NoError(t, p.Close())
					} else {
						require.NoError(t, p.Shutdown(bg))
					}
					require.EqualValues(t, 2, ran.Load(), "each Close waits")
					require.Zero(t, p.Stats().Workers)
				})
			}
			wg.Wait()
			require.NoError(t, p.Close())
		}
	})
}

func TestCloseFromATask(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
		result := make(chan error, 4)
		require.NoError(t, p.Submit(func() {
			result <- p.Close()
			result <- p.Shutdown(bg)
			result <- p.Close()
			result <- p.Submit(func() {})
		}))
		for range 3 {
			require.ErrorIs(t, <-result, workerpool.ErrInside)
		}
		require.ErrorIs(t, <-result, workerpool.ErrClosed)
		require.ErrorIs(t, p.Submit(func() {}), workerpool.ErrClosed)
		closeAndCheck(t, p)
	})
}

// Close on some goroutine while a task calls it too.
func TestCloseInsideAndOutside(t *testing.T) {
	watch(t)
	for range scaled(200) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2})
		go p.Close()
		_ = p.Submit(func() { require.ErrorIs(t, p.Close(), workerpool.ErrInside) })
		closeAndCheck(t, p)
	}
}

// ants: ReleaseTimeout returns while the panic handler runs.
func TestCloseWaitsForOnPanic(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		gate, in := make(chan struct{}), make(chan struct{})
		var handled atomic.Int64
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 1, OnPanic: func(*workerpool.PanicError) {
			close(in)
			<-gate
			handled.Add(1)
		}})
		require.NoError(t, p.Submit(func() { panic(1) }))
		<-in
		done := make(chan int64)
		go func() { _ = p.Close(); done <- handled.Load() }()
		untilClosed(t, p)
		select {
		case <-done:
			t.Fatal("Close returned before OnPanic")
		default:
		}
		close(gate)
		require.EqualValues(t, 1, <-done)
		closeAndCheck(t, p)
	})
}

// A blocked submitter is refused by Close, at once, and its task never runs.
func TestCloseRefusesBlockedSubmitters(t *testing.T) {
	for _, size := range []int{workerpool.NoQueue, 1, 2, 7} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 1})
			release := occupy(t, p, 1)
			for range max(size, 0) {
				require.NoError(t, p.Submit(func() {}))
			}
			const n = 100
			results := make(chan error)
			for i := range n {
				go func() {
					f := func() { t.Error("a refused task ran") }
					if i%2 == 0 {
						results <- p.Submit(f)
					} else {
						results <- p.SubmitContext(bg, f)
					}
				}()
			}
			untilBlocked(t, p, n)
			closed := make(chan error)
			go func() { closed <- p.Close() }()
			for range n {
				require.ErrorIs(t, <-results, workerpool.ErrClosed)
			}
			select {
			case <-closed:
				t.Fatal("Close did not wait for the running task")
			default:
			}
			release()
			require.NoError(t, <-closed)
			closeAndCheck(t, p)
		})
	}
}

// Wait does not return between a task's leaving the queue and its start.
func TestWaitSeesEveryTask(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, spin := range []time.Duration{0, -1} {
			p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size, Spin: spin})
			var ran atomic.Int64
			for i := range scaled(3000) {
				require.NoError(t, p.Submit(func() { runtime.Gosched(); ran.Add(1) }))
				require.NoError(t, p.Wait(bg))
				require.EqualValues(t, i+1, ran.Load())
			}
			closeAndCheck(t, p)
		}
	})
}

func TestCloseOfAPoolThatNeverRan(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, minWorkers := range []int{0, 1, 3} {
			p := newPool(t, workerpool.Config{QueueSize: size, MinWorkers: minWorkers, MaxWorkers: 3})
			closeAndCheck(t, p)
		}
	})
}

func TestEverythingAfterClose(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
		v := p.Limit(1)
		g := p.Group(bg)
		require.NoError(t, p.Close())
		checkAllClosed(t, p, v, g)
	})
}

// checkAllClosed calls every method of a pool that is closed or zero.
func checkAllClosed(t *testing.T, p *workerpool.Pool, v *workerpool.View, g *workerpool.Group) {
	t.Helper()
	never := func() { t.Error("ran") }
	run := func(context.Context) error { never(); return nil }
	closed := func(err error) { t.Helper(); require.ErrorIs(t, err, workerpool.ErrClosed) }
	closed(p.Submit(never))
	closed(p.TrySubmit(never))
	closed(p.SubmitContext(bg, never))
	closed(p.Do(bg, workerpool.Task{Run: run}))
	closed(p.Resize(0, 1))
	closed(p.Pause(bg))
	p.Resume()
	require.NoError(t, p.Wait(bg))
	require.NoError(t, p.Close())
	require.NoError(t, p.Shutdown(bg))
	fut := workerpool.Go(bg, p, func(context.Context) (int, error) { never(); return 1, nil })
	_, err := fut.Wait(bg)
	closed(err)
	<-fut.Done()
	fut.Cancel()
	g.Go(run)
	closed(g.Wait())
	closed(v.Submit(never))
	closed(v.TrySubmit(never))
	closed(v.SubmitContext(bg, never))
	closed(v.Do(bg, workerpool.Task{Run: run}))
	require.Zero(t, v.Stats().Running)
	results := 0
	for _, err := range workerpool.Map(bg, p, func(yield func(int) bool) { _ = yield(1) && yield(2) },
		func(context.Context, int) (int, error) { never(); return 0, nil }) {
		closed(err)
		results++
	}
	require.Equal(t, 2, results)
	ran := false
	require.NoError(t, p.Blocking(bg, func() { ran = true }))
	require.True(t, ran)
	require.Zero(t, p.Stats().Workers)
	require.Zero(t, p.Stats().Submitted)
}

func TestShutdownThatEndsInTime(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
		var ran atomic.Int64
		for range 100 {
			require.NoError(t, p.Submit(func() { ran.Add(1) }))
		}
		require.NoError(t, p.Shutdown(ctx))
		require.EqualValues(t, 100, ran.Load())
		closeAndCheck(t, p)
	})
}

// A ctx that has ended already does not matter to a pool with nothing to do.
func TestShutdownOfAnIdlePoolWithADoneContext(t *testing.T) {
	watch(t)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	for range 50 {
		p := newPool(t, workerpool.Config{MinWorkers: 1, MaxWorkers: 2})
		until(t, "idle", func() bool { return p.Stats().Active == 0 })
		err := p.Shutdown(ctx)
		var se *workerpool.ShutdownError
		if errors.As(err, &se) { // the worker may have been between two states
			require.Empty(t, se.Dropped)
		}
		_ = p.Close()
	}
}
