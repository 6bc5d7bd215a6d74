package workerpool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// gauge counts how many are in it and the most there ever were.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) in() {
	for n := g.now.Add(1); ; {
		m := g.most.Load()
		if n <= m || g.most.CompareAndSwap(m, n) {
			return
		}
	}
}

func (g *gauge) out() { g.now.Add(-1) }

// A view keeps its cap whatever the policy, and whether the pool or the view is full.
func TestViewKeepsItsCap(t *testing.T) {
	for _, policy := range []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.DropNewest, workerpool.DropOldest, workerpool.CallerRuns} {
		for _, size := range []int{workerpool.NoQueue, 1, 2, 64} {
			if size == workerpool.NoQueue && policy == workerpool.DropOldest {
				continue
			}
			for _, limit := range []int{1, 3} {
				t.Run(fmt.Sprintf("%v/queue=%s/limit=%d", policy, queueName(size), limit), func(t *testing.T) {
					watch(t)
					p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size, Overflow: policy})
					v := p.Limit(limit)
					var g gauge
					var all sync.WaitGroup
					for range 8 {
						all.Go(func() {
							for range scaled(60) {
								_ = v.Submit(func() { g.in(); runtime.Gosched(); g.out() })
								_ = p.Submit(runtime.Gosched)
							}
						})
					}
					all.Wait()
					require.NoError(t, p.Wait(bg))
					require.LessOrEqual(t, g.most.Load(), int64(limit))
					st := v.Stats()
					require.Zero(t, st.Running+st.Queued+st.Waiters, "%+v", st)
					closeAndCheck(t, p)
				})
			}
		}
	}
}

// A task of one view runs a task of another itself, as its submitter, and that waits for
// the first view: its place is lent too, although it is not the waiting task's own.
func TestATaskRunByATaskLendsBothPlaces(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: 1, Overflow: workerpool.CallerRuns})
	release := occupy(t, p, 1)
	outer, inner := p.Limit(1), p.Limit(1)
	ran := false
	require.NoError(t, outer.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
		if err := p.TrySubmit(func() {}); err != nil { // fills the queue: both workers are busy
			return err
		}
		return inner.Submit(func() {
			ran = outer.Do(context.WithoutCancel(ctx), workerpool.Task{Run: func(context.Context) error { return nil }}) == nil
		})
	}}))
	require.True(t, ran)
	release()
	closeAndCheck(t, p)
}

// Whatever a task of a view waits for, another of the view can run meanwhile; the
// same for tasks that their submitters run.
func TestNestedWaitsInAView(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, policy := range []workerpool.Overflow{workerpool.Block, workerpool.CallerRuns} {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Overflow: policy})
			v := p.Limit(1)
			empty := func(context.Context) error { return nil }
			waits := []func(ctx context.Context) error{
				func(ctx context.Context) error { return v.Do(ctx, workerpool.Task{Run: empty}) },
				func(ctx context.Context) error {
					_, err := workerpool.Go(ctx, p, func(context.Context) (int, error) { return 1, nil }, workerpool.WithView(v)).Wait(ctx)
					return err
				},
				func(ctx context.Context) error {
					g := p.Group(ctx)
					for range 5 {
						g.Go(empty, workerpool.WithView(v))
					}
					return g.Wait()
				},
				func(ctx context.Context) error {
					done := make(chan struct{})
					go func() { _ = v.Submit(func() { close(done) }) }()
					return p.Blocking(ctx, func() { <-done })
				},
				func(context.Context) error {
					for range 5 { // more than fit
						if err := v.Submit(func() {}); err != nil {
							return err
						}
					}
					return nil
				},
			}
			for i, wait := range waits {
				require.NoError(t, v.Do(bg, workerpool.Task{Run: wait}), "wait %d, policy %v", i, policy)
				done := make(chan error, 1)
				require.NoError(t, v.Submit(func() { done <- wait(bg) }))
				require.NoError(t, <-done, "wait %d in a plain task, policy %v", i, policy)
				require.NoError(t, p.Wait(bg))
				until(t, "places given back", func() bool { return v.Stats().Running == 0 && p.Stats().Workers <= 1 })
			}
			require.Zero(t, p.Stats().Nested)
			closeAndCheck(t, p)
		}
	})
}

// 20 000 tasks that each wait for another: breadth first they cost a worker each.
func TestNestedDoNeedsFewWorkers(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 4, QueueSize: size})
		g := p.Group(bg)
		var running gauge
		for range scaled(8_000) { // without the bound most of them start a worker
			g.Go(func(ctx context.Context) error {
				err := p.Do(ctx, workerpool.Task{Run: func(context.Context) error { running.in(); runtime.Gosched(); running.out(); return nil }})
				running.in()
				runtime.Gosched()
				running.out()
				return err
			})
		}
		require.NoError(t, g.Wait())
		st := closeAndCheck(t, p)
		// Four that do not wait, and four whose Do they run; as many again where a Do
		// comes while a worker too many has not ended yet, and is taken next of all.
		require.LessOrEqual(t, st.HighWater, 16, "%+v", st)
		require.LessOrEqual(t, running.most.Load(), int64(16), "tasks that do not wait")
	})
}

// Beyond MaxNested a wait returns ErrNested, wherever it is, and nothing is left of it.
func TestMaxNested(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, most := range []int{-1, 1, 3} {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, MaxNested: most})
			n := max(most, 0)
			fut := workerpool.Go(bg, p, func(ctx context.Context) (int, error) { return 7, nil })
			_, err := fut.Wait(bg)
			require.NoError(t, err, "no task: not bounded")
			var deepen func(ctx context.Context, depth int) error
			var deepest atomic.Int64
			deepen = func(ctx context.Context, depth int) error {
				deepest.Store(int64(depth))
				return p.Do(ctx, workerpool.Task{Run: func(ctx context.Context) error { return deepen(ctx, depth+1) }})
			}
			require.ErrorIs(t, p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error { return deepen(ctx, 0) }}), workerpool.ErrNested)
			require.EqualValues(t, n, deepest.Load())
			if most < 0 {
				gate, open := newGate(t)
				never := workerpool.Go(bg, p, func(ctx context.Context) (int, error) { <-gate; return 0, nil })
				open()
				err := p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
					later := workerpool.Go(ctx, p, func(context.Context) (int, error) { return 0, nil })
					_, err := later.Wait(ctx)
					g := p.Group(ctx)
					g.Go(func(context.Context) error { return nil })
					return errors.Join(err, g.Wait(), p.Blocking(ctx, func() { t.Error("ran") }), ctx.Err())
				}})
				require.ErrorIs(t, err, workerpool.ErrNested)
				_, err = never.Wait(bg)
				require.NoError(t, err)
			}
			require.NoError(t, p.Wait(bg))
			st := closeAndCheck(t, p)
			require.Equal(t, n, st.MaxNested)
			require.Zero(t, st.Nested)
			require.Positive(t, st.NestedRefused)
			require.LessOrEqual(t, st.HighWater, 1+n)
		}
	})
}

// Without a queue, resizes against each other leave no worker above the last limit.
func TestResizeAgainstResizeWithoutAQueue(t *testing.T) {
	watch(t)
	onProcs(t, 8)
	for range scaled(400) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.NoQueue, IdleTimeout: -1})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { require.NoError(t, p.Resize(8, 8)) })
			all.Go(func() { require.NoError(t, p.Resize(0, 1)) })
		}
		all.Wait()
		until(t, "no more than the last Resize allows", func() bool { st := p.Stats(); return st.Workers <= st.MaxWorkers })
		require.NoError(t, p.Resize(0, 2))
		until(t, "two workers at most", func() bool { return p.Stats().Workers <= 2 })
		require.NoError(t, p.Submit(func() {}))
		closeAndCheck(t, p)
	}
}

// MaxWaiters bounds those who wait, in the pool and its views together.
func TestMaxWaiters(t *testing.T) {
	for _, size := range []int{workerpool.NoQueue, 1, 4} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, MaxWaiters: 2})
			v := p.Limit(1)
			release := occupy(t, p, 1)
			for p.TrySubmit(func() {}) == nil {
			}
			var ran atomic.Int64
			var subs sync.WaitGroup
			for range 2 {
				subs.Go(func() { require.NoError(t, p.Submit(func() { ran.Add(1) })) })
			}
			until(t, "two wait", func() bool { return p.Stats().Waiters == 2 })
			require.ErrorIs(t, p.Submit(func() { t.Error("ran") }), workerpool.ErrFull)
			require.ErrorIs(t, v.Submit(func() { t.Error("ran") }), workerpool.ErrFull)
			require.ErrorIs(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}), workerpool.ErrFull)
			_, err := workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, nil }).Wait(bg)
			require.ErrorIs(t, err, workerpool.ErrFull)
			release()
			subs.Wait()
			require.NoError(t, p.Wait(bg))
			require.EqualValues(t, 2, ran.Load())
			st := closeAndCheck(t, p)
			require.Zero(t, st.Waiters)
			require.Zero(t, v.Stats().Running)
		})
	}
}
