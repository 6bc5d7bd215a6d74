package workerpool_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// A submitter that waits for room is let in after at most 2 × (QueueSize + w) takes,
// where w wait before it, whatever policy those have who barge, and whoever waits.
func TestWaitersAreLetInAfterSoManyTakes(t *testing.T) {
	waits := map[string]func(ctx context.Context, p *workerpool.Pool, f func()) error{
		"SubmitContext": func(ctx context.Context, p *workerpool.Pool, f func()) error { return p.SubmitContext(ctx, f) },
		"Do": func(ctx context.Context, p *workerpool.Pool, f func()) error {
			return p.Do(ctx, workerpool.Task{Run: func(context.Context) error { f(); return nil }})
		},
		"Go": func(ctx context.Context, p *workerpool.Pool, f func()) error {
			_, err := workerpool.Go(ctx, p, func(context.Context) (int, error) { f(); return 0, nil }).Wait(ctx)
			return err
		},
		"Group": func(ctx context.Context, p *workerpool.Pool, f func()) error {
			g := p.Group(ctx)
			g.Go(func(context.Context) error { f(); return nil })
			return g.Wait()
		},
	}
	for _, policy := range []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.DropNewest, workerpool.DropOldest, workerpool.CallerRuns} {
		for _, size := range []int{1, 4, 64} {
			for name, wait := range waits {
				t.Run(fmt.Sprintf("%v/queue=%d/%s", policy, size, name), func(t *testing.T) {
					watch(t)
					p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Overflow: policy})
					var stop atomic.Bool
					task := runtime.Gosched
					var barging sync.WaitGroup
					for range 3 {
						barging.Go(func() {
							for !stop.Load() {
								if policy == workerpool.Block {
									_ = p.TrySubmit(task)
								} else {
									_ = p.Submit(task)
								}
								runtime.Gosched()
							}
						})
					}
					for range 5 {
						if err := wait(bg, p, func() {}); err != nil {
							require.ErrorIs(t, err, workerpool.ErrDropped) // it was let in before
							require.Equal(t, workerpool.DropOldest, policy)
						}
					}
					stop.Store(true)
					barging.Wait()
					closeAndCheck(t, p)
				})
			}
		}
	}
}

// The bound itself, with the takes counted one by one: a worker that stands still
// between them lets others fill each place that comes free.
func TestTheBoundOfAWait(t *testing.T) {
	for _, size := range []int{1, 7, 16, 64} {
		for _, before := range []int{0, 1, 9} {
			t.Run(fmt.Sprintf("queue=%d/before=%d", size, before), func(t *testing.T) {
				watch(t)
				p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Overflow: workerpool.Reject})
				step := make(chan struct{})
				task := func() { <-step }
				require.NoError(t, p.Submit(task))
				until(t, "it runs", func() bool { return p.Stats().Started == 1 })
				for p.Submit(task) == nil {
				}
				for i := range before + 1 {
					go func() {
						if err := p.SubmitContext(bg, func() {}); err != nil {
							t.Error(err)
						}
					}()
					until(t, "it waits", func() bool { return workerpool.Waiting(p) == i+1 })
				}
				bound := uint64(2 * (size + before))
				for {
					takes := p.Stats().Started - 1 // before the look whether somebody still waits
					if workerpool.Waiting(p) == 0 {
						break
					}
					require.LessOrEqual(t, takes, bound, "takes")
					select {
					case step <- struct{}{}: // one ends, the next is taken
					default:
						runtime.Gosched()
					}
					for p.Submit(task) == nil { // others fill each place
					}
				}
				close(step)
				closeAndCheck(t, p)
			})
		}
	}
}

// A waiter that gives up while the queue is kept for waiters, and is the last of them,
// leaves it open to all.
func TestAQueueKeptForWaitersOpensWhenTheLastGivesUp(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: 2})
	running, end := make(chan int), make(chan struct{})
	task := func(i int) func() {
		return func() { running <- i; <-end }
	}
	for i := range 3 { // one runs, two fill the queue
		require.NoError(t, p.Submit(task(i)))
		if i == 0 {
			require.Equal(t, 0, <-running)
		}
	}
	ctx, cancel := context.WithCancel(bg)
	var waiting sync.WaitGroup
	for i := range 3 {
		waiting.Go(func() {
			err := p.SubmitContext(ctx, task(3+i))
			if i < 2 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, context.Canceled)
			}
		})
		until(t, "it waits", func() bool { return workerpool.Waiting(p) == i+1 })
	}
	for i := 1; i <= 2; i++ { // the first is let in as a place is free; then the queue is theirs
		end <- struct{}{}
		require.Equal(t, i, <-running)
		until(t, "a waiter is let in", func() bool { return workerpool.Waiting(p) == 3-i })
	}
	cancel()
	waiting.Wait()
	end <- struct{}{}
	require.Equal(t, 3, <-running)
	until(t, "a place is free", func() bool { return p.Stats().Queued == 1 })
	require.NoError(t, p.TrySubmit(task(6)))
	for _, i := range []int{4, 6} {
		end <- struct{}{}
		require.Equal(t, i, <-running)
	}
	end <- struct{}{}
	closeAndCheck(t, p)
}

// A view that always has another task does not keep submitters out, nor they it.
func TestViewsAndSubmittersTakeTurns(t *testing.T) {
	for _, size := range []int{workerpool.NoQueue, 1, 2, 7} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
			v := p.Limit(4)
			var stop atomic.Bool
			var busy sync.WaitGroup
			for _, submit := range []func(func()) error{v.Submit, p.Submit} {
				for range 3 {
					busy.Go(func() {
						for !stop.Load() {
							if err := submit(runtime.Gosched); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			for range 10 {
				require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}))
				require.NoError(t, v.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}))
			}
			stop.Store(true)
			busy.Wait()
			closeAndCheck(t, p)
		})
	}
}
