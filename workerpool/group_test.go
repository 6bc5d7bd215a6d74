package workerpool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// pond: Wait on a Goexit task hangs for ever.
func TestGroupSurvivesAllEnds(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		g := p.Group(bg)
		g.Go(func(context.Context) error { runtime.Goexit(); return nil })
		g.Go(func(context.Context) error { panic("x") })
		g.Go(func(context.Context) error { return errBoom })
		g.Go(nil)
		g.Go(func(context.Context) error { return nil })
		err := g.Wait()
		var pe *workerpool.PanicError
		require.ErrorAs(t, err, &pe)
		for _, want := range []error{workerpool.ErrGoexit, errBoom, workerpool.ErrNilTask} {
			require.ErrorIs(t, err, want)
		}
		closeAndCheck(t, p)
	})
}

func TestGroupFailFast(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		g := p.Group(bg, workerpool.FailFast())
		var ran atomic.Int64
		for i := range 20 {
			g.Go(func(ctx context.Context) error {
				ran.Add(1)
				if i == 3 {
					return errBoom
				}
				return ctx.Err()
			})
		}
		require.Equal(t, errBoom, g.Wait(), "that error alone")
		require.EqualValues(t, 4, ran.Load(), "pond: tasks run after cancel")
		closeAndCheck(t, p)
	})
}

func TestGroupLimit(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 8, QueueSize: size})
		for _, limit := range []int{1, 3} {
			g := p.Group(bg, workerpool.Limit(limit))
			var in, most atomic.Int64
			for range 200 {
				g.Go(func(context.Context) error {
					if n := in.Add(1); n > most.Load() {
						most.Store(n)
					}
					runtime.Gosched()
					in.Add(-1)
					return nil
				})
			}
			require.NoError(t, g.Wait())
			require.LessOrEqual(t, most.Load(), int64(limit))
		}
		closeAndCheck(t, p)
	})
}

// A Go that waits for the Limit leaves no trace when ctx ends.
func TestGroupLimitAndContext(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{})
	ctx, cancel := context.WithCancel(bg)
	g := p.Group(ctx, workerpool.Limit(1))
	gate, open := newGate(t)
	g.Go(func(context.Context) error { <-gate; return nil })
	cancel()
	g.Go(func(context.Context) error { t.Error("ran"); return nil })
	open()
	require.ErrorIs(t, g.Wait(), context.Canceled)
	closeAndCheck(t, p)
}

// A task's Timeout bounds the wait for a place within the Limit, too.
func TestGroupLimitAndTimeout(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{})
		g := p.Group(bg, workerpool.Limit(1))
		gate, open := newGate(t)
		g.Go(func(context.Context) error { <-gate; return nil })
		start := time.Now()
		g.Go(func(context.Context) error { t.Error("ran"); return nil }, workerpool.WithTimeout(time.Second))
		require.Equal(t, time.Second, time.Since(start))
		open()
		require.ErrorIs(t, g.Wait(), workerpool.ErrQueueTimeout)
		closeAndCheck(t, p)
	})
}

// What the pool refuses keeps no place within the Limit.
func TestGroupLimitAndRefusal(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.NoQueue})
	g := p.Group(bg, workerpool.Limit(1))
	release := occupy(t, p, 1)
	for range 3 {
		require.ErrorIs(t, g.TryGo(func(context.Context) error { t.Error("ran"); return nil }), workerpool.ErrFull)
	}
	release()
	ran := false
	g.Go(func(context.Context) error { ran = true; return nil })
	require.NoError(t, g.Wait())
	require.True(t, ran)
	closeAndCheck(t, p)
}

// A Timeout that passes while Go waits for the pool is one in the queue, whether Go or the
// end of the ctx ends the task.
func TestGroupTimeoutWhileGoWaits(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.NoQueue})
		release := occupy(t, p, 1)
		for range 100 {
			g := p.Group(bg)
			g.Go(func(context.Context) error { t.Error("ran"); return nil }, workerpool.WithTimeout(time.Second))
			err := g.Wait()
			require.ErrorIs(t, err, workerpool.ErrQueueTimeout)
			require.NotErrorIs(t, err, workerpool.ErrRunTimeout)
		}
		release()
		closeAndCheck(t, p)
	})
}

// A task that comes as Wait returns belongs to the round that Wait has waited for or to the
// next: its ctx has not ended.
func TestGroupGoWhileWaitReturns(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 2})
	g := p.Group(bg)
	ending := make(chan struct{}, 1)
	for range scaled(20_000) {
		g.Go(func(context.Context) error { ending <- struct{}{}; return nil })
		var both sync.WaitGroup
		both.Go(func() { assert.NoError(t, g.Wait()) })
		<-ending
		g.Go(func(ctx context.Context) error { return ctx.Err() })
		both.Wait()
		require.NoError(t, g.Wait())
	}
	closeAndCheck(t, p)
}

// Tasks that have not started when their ctx ends do not keep Wait waiting for a worker:
// not at the end of the group's ctx, nor after their own Timeout, in the queue of the pool
// or of a view.
func TestGroupDoesNotWaitForWorkersToSkipItsTasks(t *testing.T) {
	for _, size := range []int{7, 0, workerpool.Unbounded} {
		watch(t)
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
			release := occupy(t, p, 1)
			v := p.Limit(1)
			require.NoError(t, v.Submit(func() {}))
			ctx, cancel := context.WithCancelCause(bg)
			never := func(context.Context) error { t.Error("ran"); return nil }
			start := time.Now()
			for round := range 3 {
				g := p.Group(ctx, workerpool.Limit(2+round))
				g.Go(never, workerpool.WithTimeout(time.Second))
				g.Go(never, workerpool.WithTimeout(2*time.Second), workerpool.WithView(v))
				g.Go(never, workerpool.WithTimeout(3*time.Second)) // within the Limit of 2 only when the first has ended
				err := g.Wait()
				require.ErrorIs(t, err, workerpool.ErrQueueTimeout)
				require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 3)
				require.Equal(t, 3*time.Second, time.Since(start))
				start = start.Add(3 * time.Second)
			}
			g := p.Group(ctx)
			g.Go(never)
			g.Go(never, workerpool.WithView(v))
			go func() { time.Sleep(time.Second); cancel(errBoom) }()
			err := g.Wait()
			require.ErrorIs(t, err, errBoom)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, time.Second, time.Since(start))
			g.Go(never)
			require.ErrorIs(t, g.Wait(), errBoom)
			release()
			st := closeAndCheck(t, p)
			require.EqualValues(t, 9, st.Timeouts)
			require.EqualValues(t, 2, st.Canceled)
		})
	}
}

// A Go that waits for room while its ctx ends is one error, whoever notices first.
func TestGroupWhoseContextEndsWhileGoWaits(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		release := occupy(t, p, 1)
		for range scaled(2000) {
			ctx, cancel := context.WithCancel(bg)
			g := p.Group(ctx)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { g.Go(func(context.Context) error { t.Error("ran"); return nil }) })
			}
			all.Go(func() { _ = g.Wait() })
			go cancel()
			all.Wait()
			err := g.Wait()
			require.ErrorIs(t, err, context.Canceled)
			require.LessOrEqual(t, len(err.(interface{ Unwrap() []error }).Unwrap()), 3, "fewer where a Wait came between them")
		}
		release()
		closeAndCheck(t, p)
	})
}

// It waits for those that run.
func TestGroupWaitsForWhatRuns(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1})
		g := p.Group(bg, workerpool.FailFast())
		ended := false
		g.Go(func(ctx context.Context) error {
			g.Go(func(context.Context) error { t.Error("ran"); return nil })
			time.Sleep(time.Second)
			ended = true
			return errBoom
		}, workerpool.WithTimeout(time.Millisecond))
		require.ErrorIs(t, g.Wait(), errBoom)
		require.True(t, ended)
		closeAndCheck(t, p)
	})
}

// conc, once: a panic did not cancel the others. Any end but a return of nil does.
func TestFailFastHoweverATaskFails(t *testing.T) {
	watch(t)
	for _, end := range ends[1:] {
		p := newPool(t, workerpool.Config{MaxWorkers: 2})
		g := p.Group(bg, workerpool.FailFast())
		g.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
		g.Go(func(context.Context) error { return end.end() })
		require.Error(t, g.Wait(), end.name)
		closeAndCheck(t, p)
	}
}

// pond, once: a hang where the ctx ends before many tasks have started.
func TestGroupWhoseContextEndsBeforeItsTasksStart(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		v := p.Limit(1)
		ctx, cancel := context.WithCancel(bg)
		groups := []*workerpool.Group{p.Group(ctx), p.Group(ctx, workerpool.Limit(3)), p.Group(ctx, workerpool.FailFast())}
		var ran, late atomic.Int64
		for i := range scaled(4000) {
			if i == 7 {
				cancel()
			}
			groups[i%3].Go(func(context.Context) error {
				if ran.Add(1); i > 7 {
					late.Add(1)
				}
				return nil
			}, workerpool.WithView([]*workerpool.View{nil, v}[i%2]))
		}
		for _, g := range groups {
			require.ErrorIs(t, g.Wait(), context.Canceled)
		}
		require.Zero(t, late.Load())
		cancel()
		closeAndCheck(t, p)
	})
}

// conc: Go after Wait panics. Several Waits, and Go from the group's own tasks.
func TestGroupGoAfterWait(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		g := p.Group(bg)
		require.NoError(t, g.Wait(), "empty")
		var leaves atomic.Int64
		var grow func(n int) func(context.Context) error
		grow = func(n int) func(context.Context) error {
			return func(context.Context) error {
				leaves.Add(1)
				for range n {
					g.Go(grow(n - 1))
				}
				return nil
			}
		}
		g.Go(grow(4))
		var waits sync.WaitGroup
		for range 4 {
			waits.Go(func() {
				if err := g.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
		waits.Wait()
		require.EqualValues(t, 1+4+12+24+24, leaves.Load())
		closeAndCheck(t, p)
	})
}

func TestGroupErrorsAreJoinedInOrder(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1})
	g := p.Group(bg)
	for _, s := range []string{"a", "b", "c"} {
		g.Go(func(context.Context) error { return errors.New(s) })
	}
	require.EqualError(t, g.Wait(), "a\nb\nc")
	closeAndCheck(t, p)
}
