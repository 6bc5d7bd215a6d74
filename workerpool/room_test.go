package workerpool_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// Idle workers, and those that may still be started, are room beside the queue, for
// every policy: none of as many tasks is refused, dropped, run by the caller or, where
// the policy is not to wait, kept waiting.
func TestIdleWorkersAreRoom(t *testing.T) {
	watch(t)
	for _, policy := range []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.DropNewest, workerpool.DropOldest, workerpool.CallerRuns} {
		for _, size := range []int{1, 2, 5} {
			for _, idle := range []int{0, 3, 8} {
				for range scaled(40) {
					p := newPool(t, workerpool.Config{MinWorkers: idle, MaxWorkers: 8, QueueSize: size, Overflow: policy})
					until(t, "they are there", func() bool { return p.Stats().Idle >= idle })
					gate, open := newGate(t)
					var ran atomic.Int64
					for range 8 {
						require.NoError(t, p.Submit(func() { <-gate; ran.Add(1) }), "policy %v, queue %d, %d idle", policy, size, idle)
					}
					open()
					st := closeAndCheck(t, p)
					require.EqualValues(t, 8, ran.Load(), "policy %v, queue %d, %d idle: %+v", policy, size, idle, st)
					require.Zero(t, st.Rejected+st.Dropped+st.CallerRan, "policy %v, queue %d, %d idle: %+v", policy, size, idle, st)
					if policy != workerpool.Block { // which may wait for a worker that is on its way
						require.Zero(t, st.Waits, "policy %v, queue %d, %d idle: %+v", policy, size, idle, st)
					}
					require.LessOrEqual(t, st.HighWater, 8)
				}
			}
		}
	}
}

// A submitter that may wait does not sleep while a worker sleeps: the queue holds one
// task, and the worker that it wakes has not come yet when the second is there.
func TestNoSleepBesideASleepingWorker(t *testing.T) {
	watch(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // a worker runs when the submitter stops
	for name, submit := range map[string]func(p *workerpool.Pool, task func()) error{
		"Submit":        (*workerpool.Pool).Submit,
		"SubmitContext": func(p *workerpool.Pool, task func()) error { return p.SubmitContext(context.Background(), task) },
		"Group": func(p *workerpool.Pool, task func()) error {
			g := p.Group(context.Background())
			g.Go(func(context.Context) error { task(); return nil })
			return nil
		},
		"View": func(p *workerpool.Pool, task func()) error { return p.Limit(2).Submit(task) },
	} {
		stayed := 0
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.Config{MinWorkers: 3, MaxWorkers: 3, QueueSize: 1})
				workerpool.NoYields(p)
				synctest.Wait()
				var ran atomic.Bool
				for range 2 {
					require.NoError(t, submit(p, func() { ran.Store(true) }), name)
				}
				if !ran.Load() { // the system may have stopped the submitter
					stayed++
				}
				require.EqualValues(t, 2, closeAndCheck(t, p).Completed, name)
			})
		}
		require.Positive(t, stayed, name)
	}
}

// Without a queue, workers that have just been asked for are there at once.
func TestNewWorkersAreRoom(t *testing.T) {
	watch(t)
	for _, policy := range []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.DropNewest, workerpool.CallerRuns} {
		for range scaled(100) {
			p := newPool(t, workerpool.Config{MinWorkers: 4, MaxWorkers: 4, QueueSize: workerpool.NoQueue, Overflow: policy})
			gate, open := newGate(t)
			var ran atomic.Int64
			task := func() { <-gate; ran.Add(1) }
			for n := range 8 {
				if n == 4 {
					require.NoError(t, p.Resize(8, 8))
				}
				require.NoError(t, p.Submit(task), policy)
			}
			require.Equal(t, 8, p.Stats().Active)
			require.ErrorIs(t, p.TrySubmit(task), workerpool.ErrFull)
			open()
			st := closeAndCheck(t, p)
			require.EqualValues(t, 8, ran.Load(), policy)
			require.Zero(t, st.Dropped+st.CallerRan+st.Waits, "%+v", st)
			require.Equal(t, 8, st.HighWater)
		}
	}
}

// A submitter that may wait lets the workers that there are make room first: their
// number goes with how long the tasks take, not with how often the queue is full (200
// to 500 workers here, and 5000 to 8000 with a worker for each task that finds no room).
func TestAFullQueueIsNoReasonForAWorkerEach(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 20_000, QueueSize: 64})
	for range 20_000 {
		require.NoError(t, p.Submit(func() { <-time.After(100 * time.Microsecond) }))
	}
	require.Less(t, closeAndCheck(t, p).HighWater, 2000)
}

// The room is exact from above: with every worker busy, the queue takes QueueSize.
func TestRoomIsBounded(t *testing.T) {
	watch(t)
	for _, size := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.Config{MaxWorkers: 4, QueueSize: size, Overflow: workerpool.Reject})
			gate, open := newGate(t)
			n := 0
			for p.Submit(func() { <-gate }) == nil {
				synctest.Wait()
				n++
			}
			require.Equal(t, 4+size, n)
			require.NoError(t, p.Resize(0, 6))
			for p.Submit(func() { <-gate }) == nil {
				synctest.Wait()
				n++
			}
			require.Equal(t, 6+size, n)
			open()
			closeAndCheck(t, p)
		})
	}
}

// Tasks start in the order in which they were accepted, also where the oldest goes
// to an idle worker past the queue.
func TestOrderWithIdleWorkers(t *testing.T) {
	watch(t)
	for range scaled(300) {
		p := newPool(t, workerpool.Config{MinWorkers: 3, MaxWorkers: 3, QueueSize: 1})
		require.NoError(t, p.Resize(0, 1))
		until(t, "one worker", func() bool { return p.Stats().Workers == 1 })
		var last atomic.Int64
		for i := range int64(20) {
			require.NoError(t, p.Submit(func() {
				if old := last.Swap(i + 1); old != i {
					t.Errorf("task %d after %d", i+1, old)
				}
			}))
		}
		closeAndCheck(t, p)
	}
}

// inPoolOrView returns how to submit to p, or to a view of it that runs one at a time.
func inPoolOrView(p *workerpool.Pool, view bool) (submit, trySubmit func(func()) error, opts []workerpool.TaskOption) {
	if !view {
		return p.Submit, p.TrySubmit, nil
	}
	v := p.Limit(1)
	return v.Submit, v.TrySubmit, []workerpool.TaskOption{workerpool.WithView(v)}
}

// A queue full of tasks whose ctx has ended has room, whatever the policy and
// however they ended, also where living ones stand between them.
func TestEndedTasksGiveTheirPlacesUp(t *testing.T) {
	for _, policy := range []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.DropNewest, workerpool.DropOldest, workerpool.CallerRuns} {
		for _, view := range []bool{false, true} {
			t.Run(policy.String()+map[bool]string{true: "/view"}[view], func(t *testing.T) {
				watch(t)
				synctest.Test(t, func(t *testing.T) {
					const size = 6
					p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Overflow: policy})
					submit, trySubmit, opts := inPoolOrView(p, view)
					gate, open := newGate(t)
					require.NoError(t, submit(func() { <-gate }))
					synctest.Wait()
					ctx, cancel := context.WithCancel(bg)
					var order []int
					live := func(i int) func() { return func() { order = append(order, i) } }
					group := p.Group(ctx)
					var futures []*workerpool.Future[int]
					never := func(context.Context) (int, error) { t.Error("ran"); return 0, nil }
					require.NoError(t, submit(live(0)))
					futures = append(futures, workerpool.Go(ctx, p, never, opts...))
					require.NoError(t, submit(live(1)))
					group.Go(func(context.Context) error { t.Error("ran"); return nil }, opts...)
					futures = append(futures, workerpool.Go(bg, p, never, append(opts, workerpool.WithTimeout(time.Second))...))
					require.NoError(t, submit(live(2)))
					require.ErrorIs(t, trySubmit(func() {}), workerpool.ErrFull)
					cancel()
					time.Sleep(2 * time.Second)
					for i := range 3 { // all at the same moment
						require.NoError(t, submit(live(3+i)))
					}
					require.ErrorIs(t, trySubmit(func() {}), workerpool.ErrFull)
					for _, fut := range futures {
						select {
						case <-fut.Done():
						default:
							t.Error("a task that was taken out has no result")
						}
					}
					require.ErrorIs(t, group.Wait(), context.Canceled)
					open()
					require.NoError(t, p.Wait(bg))
					require.Equal(t, []int{0, 1, 2, 3, 4, 5}, order)
					st := closeAndCheck(t, p)
					require.Zero(t, st.Dropped+st.CallerRan+st.Waits, "%+v", st)
					if !view {
						require.EqualValues(t, 2, st.Canceled)
						require.EqualValues(t, 1, st.Timeouts)
					}
				})
			})
		}
	}
}

// The places that ended tasks give up are first those of the submitters that wait.
func TestPlacesOfEndedTasksGoToWhoWaits(t *testing.T) {
	for _, view := range []bool{false, true} {
		watch(t)
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: 2})
			submit, trySubmit, opts := inPoolOrView(p, view)
			gate, open := newGate(t)
			require.NoError(t, submit(func() { <-gate }))
			synctest.Wait()
			ctx, cancel := context.WithCancel(bg)
			for range 2 {
				workerpool.Go(ctx, p, func(context.Context) (int, error) { t.Error("ran"); return 0, nil }, opts...)
			}
			var order []string
			accepted := false
			go func() {
				if err := submit(func() { order = append(order, "waited") }); err != nil {
					t.Error(err)
				}
				accepted = true
			}()
			synctest.Wait()
			require.False(t, accepted)
			cancel()
			require.NoError(t, trySubmit(func() { order = append(order, "came later") }))
			synctest.Wait()
			require.True(t, accepted)
			require.ErrorIs(t, trySubmit(func() {}), workerpool.ErrFull)
			open()
			closeAndCheck(t, p)
			require.Equal(t, []string{"waited", "came later"}, order)
		})
	}
}

// Taking them out races with workers that take and producers that put.
func TestEndedTasksUnderStress(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size, Overflow: workerpool.Reject})
		var ran, accepted, ended, refused atomic.Int64
		done := make(chan struct{}, 3)
		for range 3 {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range scaled(2000) {
					ctx, cancel := context.WithCancel(bg)
					fut, err := workerpool.TryGo(ctx, p, func(context.Context) (int, error) { ran.Add(1); return 0, nil })
					if err != nil {
						refused.Add(1)
						cancel()
						continue
					}
					accepted.Add(1)
					if i%2 == 0 {
						cancel()
					}
					if _, err := fut.Wait(bg); err != nil {
						ended.Add(1)
					}
					cancel()
				}
			}()
		}
		for range 3 {
			<-done
		}
		st := closeAndCheck(t, p)
		require.Equal(t, accepted.Load(), ran.Load()+ended.Load())
		require.EqualValues(t, accepted.Load(), st.Submitted)
		require.EqualValues(t, ended.Load(), st.Canceled)
		require.EqualValues(t, refused.Load(), st.Rejected)
	})
}
