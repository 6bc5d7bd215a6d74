package workerpool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// As many tasks as MaxWorkers wait for each other: all must run at once.
func TestBarrierOfMaxWorkers(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		p := newPool(t, cfg)
		for range scaled(60) {
			var in, done sync.WaitGroup
			in.Add(cfg.MaxWorkers)
			done.Add(cfg.MaxWorkers)
			for range cfg.MaxWorkers {
				require.NoError(t, p.Submit(func() { in.Done(); in.Wait(); done.Done() }))
			}
			done.Wait()
		}
		require.LessOrEqual(t, p.Stats().HighWater, cfg.MaxWorkers)
		closeAndCheck(t, p)
	})
}

// One slow task delays nobody while there is another worker.
func TestOneSlowTaskDelaysNobody(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for range scaled(40) {
			p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
			release := occupy(t, p, 1)
			var others sync.WaitGroup
			others.Add(100)
			for range 100 {
				require.NoError(t, p.Submit(others.Done))
			}
			others.Wait()
			release()
			closeAndCheck(t, p)
		}
	})
}

// Resize down must work although the queue never empties.
func TestResizeDownWhileTheQueueNeverEmpties(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		if size == workerpool.Unbounded {
			size = 512 // producers would outrun the workers for ever
		}
		p := newPool(t, workerpool.Config{MaxWorkers: 8, QueueSize: size})
		var stop atomic.Bool
		var running, limit, over, epoch atomic.Int64
		limit.Store(8)
		var producers sync.WaitGroup
		defer func() { // also where a check below ends the test
			stop.Store(true)
			producers.Wait()
		}()
		for range 3 {
			producers.Go(func() {
				for !stop.Load() {
					err := p.Submit(func() {
						now, most := epoch.Load(), limit.Load()
						if running.Add(1) > most && epoch.Load() == now { // else the limit was another meanwhile
							over.Add(1)
						}
						runtime.Gosched()
						running.Add(-1)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, n := range []int{8, 3, 1, 5, 1} {
			require.NoError(t, p.Resize(0, n))
			until(t, "workers down", func() bool { return p.Stats().Workers <= n })
			epoch.Add(1)
			limit.Store(int64(n))
			done := p.Stats().Completed
			until(t, "progress", func() bool { return p.Stats().Completed > done+100 })
			require.Zero(t, over.Load(), "more than %d ran at once", n)
			epoch.Add(1)
			limit.Store(8)
		}
		stop.Store(true)
		producers.Wait()
		closeAndCheck(t, p)
	})
}

// Whatever the order of resizes and wake-ups, the last Resize holds.
func TestResizeStorm(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		if cfg.QueueSize == workerpool.Unbounded {
			cfg.QueueSize = 100
		}
		p := newPool(t, cfg)
		var stop atomic.Bool
		var ran, accepted atomic.Int64
		var others sync.WaitGroup
		for range 2 {
			others.Go(func() {
				for i := 0; !stop.Load() && i < 100000; i++ {
					if err := p.Submit(func() { ran.Add(1) }); err != nil {
						t.Error(err)
					}
					accepted.Add(1)
				}
			})
			others.Go(func() {
				for range scaled(150) {
					hi := 1 + rand.IntN(9)
					require.NoError(t, p.Resize(rand.IntN(hi+1), hi))
					runtime.Gosched()
				}
				stop.Store(true)
			})
		}
		others.Wait()
		require.NoError(t, p.Resize(1, 2))
		require.NoError(t, p.Wait(bg))
		until(t, "1 or 2 workers", func() bool { n := p.Stats().Workers; return n == 1 || n == 2 })
		require.Equal(t, accepted.Load(), ran.Load())
		closeAndCheck(t, p)
	})
}

// A worker started by a wake-up that overlapped Resize may not stay above the
// limit, nor may one that ends leave fewer than MinWorkers.
func TestResizeIsExactAgainstWakes(t *testing.T) {
	watch(t)
	onProcs(t, 8)
	p := newPool(t, workerpool.Config{MaxWorkers: 2, Spin: -1})
	for i := range scaled(4000) {
		var sub sync.WaitGroup
		for range 2 {
			sub.Go(func() {
				for range 4 {
					require.NoError(t, p.Submit(func() { runtime.Gosched() }))
				}
			})
		}
		lo, hi := 0, 1
		if i%2 == 0 {
			lo, hi = 3, 4
		}
		require.NoError(t, p.Resize(lo, hi))
		sub.Wait()
		require.NoError(t, p.Wait(bg))
		until(t, "a number of workers within the bounds", func() bool {
			n := p.Stats().Workers
			return n >= lo && n <= hi
		})
	}
	closeAndCheck(t, p)
}

// 10 000 submitters wait for room at once; all get through.
func TestTenThousandBlockedSubmitters(t *testing.T) {
	for _, size := range []int{workerpool.NoQueue, 1, 7, 1024} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			n := scaled(10000)
			size := min(size, n/2) // most wait, also where n is small
			p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
			release := occupy(t, p, 2)
			var ran atomic.Int64
			var all sync.WaitGroup
			for range n {
				all.Go(func() { require.NoError(t, p.Submit(func() { ran.Add(1) })) })
			}
			untilBlocked(t, p, uint64(n-max(size, 0)))
			release()
			all.Wait()
			require.NoError(t, p.Wait(bg))
			require.EqualValues(t, n, ran.Load())
			closeAndCheck(t, p)
		})
	}
}

// A submitter that waits is served although others barge past all the time.
func TestBlockedSubmittersDoNotStarve(t *testing.T) {
	for _, size := range []int{workerpool.NoQueue, 1, 2, 7} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
			var stop atomic.Bool
			var barging sync.WaitGroup
			for range 4 {
				barging.Go(func() {
					for !stop.Load() {
						if err := p.TrySubmit(func() {}); err != nil {
							require.ErrorIs(t, err, workerpool.ErrFull)
						}
						runtime.Gosched()
					}
				})
			}
			for range scaled(300) {
				require.NoError(t, p.Submit(func() {}))
			}
			stop.Store(true)
			barging.Wait()
			closeAndCheck(t, p)
		})
	}
}

// A blocked submitter when an idle worker meets an empty queue; ctx ends while the
// value is moved into the ring: each task is accepted and runs, or neither.
func TestContextEndsWhileRoomIsMade(t *testing.T) {
	for _, size := range []int{workerpool.NoQueue, 1, 2, 7} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Spin: -1})
			var accepted, ran atomic.Int64
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range scaled(1500) {
						ctx, cancel := context.WithCancel(bg)
						if rand.IntN(2) == 0 {
							go cancel()
						}
						err := p.SubmitContext(ctx, func() { ran.Add(1) })
						if err == nil {
							accepted.Add(1)
						} else if !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
						cancel()
					}
				})
			}
			all.Wait()
			require.NoError(t, p.Wait(bg))
			require.Equal(t, accepted.Load(), ran.Load())
			st := closeAndCheck(t, p)
			require.EqualValues(t, ran.Load(), st.Completed)
		})
	}
}

func TestDoneContextIsNotAccepted(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		p := newPool(t, workerpool.Config{QueueSize: size})
		for range 100 { // there is room: ctx wins
			require.ErrorIs(t, p.SubmitContext(ctx, func() { t.Error("ran") }), context.Canceled)
			require.ErrorIs(t, p.Do(ctx, workerpool.Task{Run: func(context.Context) error { t.Error("ran"); return nil }}), context.Canceled)
			require.ErrorIs(t, p.Wait(ctx), context.Canceled)
		}
		require.Zero(t, closeAndCheck(t, p).Submitted)
	})
}

// Without a queue a worker is reserved synchronously, as ants does.
func TestNoQueueIsExactAfterSubmit(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 4, QueueSize: workerpool.NoQueue, Overflow: workerpool.Reject})
	gate, open := newGate(t)
	for i := range 4 {
		require.NoError(t, p.Submit(func() { <-gate }))
		require.Equal(t, i+1, p.Stats().Active)
	}
	require.ErrorIs(t, p.Submit(func() {}), workerpool.ErrFull)
	require.NoError(t, p.Resize(0, 5))
	require.NoError(t, p.Submit(func() { <-gate }))
	require.ErrorIs(t, p.TrySubmit(func() {}), workerpool.ErrFull)
	require.NoError(t, p.Resize(0, 1))
	require.Equal(t, 5, p.Stats().Workers)
	open()
	require.NoError(t, p.Wait(bg))
	until(t, "1 worker", func() bool { return p.Stats().Workers <= 1 })
	require.EqualValues(t, 2, closeAndCheck(t, p).Rejected)
}

// A raised limit lets blocked submitters of a pool without a queue in.
func TestResizeUpAdmitsBlockedSubmitters(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.NoQueue})
	release := occupy(t, p, 1)
	ran := make(chan struct{}, 2)
	var subs sync.WaitGroup
	for range 2 {
		subs.Go(func() { require.NoError(t, p.Submit(func() { ran <- struct{}{} })) })
	}
	untilBlocked(t, p, 2)
	require.NoError(t, p.Resize(0, 2))
	<-ran
	<-ran
	subs.Wait()
	release()
	closeAndCheck(t, p)
}
