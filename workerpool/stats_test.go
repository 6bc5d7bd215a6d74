package workerpool_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// checkMonotonic fails t if a counter went back or completed work is above reality.
func checkMonotonic(t testing.TB, a, b workerpool.Stats) {
	t.Helper()
	for _, c := range []struct {
		name string
		a, b uint64
	}{
		{"Submitted", a.Submitted, b.Submitted},
		{"Started", a.Started, b.Started},
		{"Completed", a.Completed, b.Completed},
		{"Failed", a.Failed, b.Failed},
		{"Panics", a.Panics, b.Panics},
		{"Goexits", a.Goexits, b.Goexits},
		{"Timeouts", a.Timeouts, b.Timeouts},
		{"Canceled", a.Canceled, b.Canceled},
		{"Dropped", a.Dropped, b.Dropped},
		{"Rejected", a.Rejected, b.Rejected},
		{"CallerRan", a.CallerRan, b.CallerRan},
		{"Waits", a.Waits, b.Waits},
		{"Wakes", a.Wakes, b.Wakes},
		{"QueueWait.Count", a.QueueWait.Count, b.QueueWait.Count},
		{"RunTime.Count", a.RunTime.Count, b.RunTime.Count},
		{"HighWater", uint64(a.HighWater), uint64(b.HighWater)},
	} {
		if c.b < c.a {
			t.Errorf("%s went from %d to %d", c.name, c.a, c.b)
		}
	}
}

// Snapshots are consistent, monotonic and never above reality while everything
// else goes on; the books balance at the end.
func TestStatsRaceWithEverything(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		cfg.OnPanic = func(*workerpool.PanicError) {}
		cfg.Overflow = workerpool.Overflow(rand.IntN(5))
		if cfg.QueueSize == workerpool.NoQueue && cfg.Overflow == workerpool.DropOldest {
			cfg.Overflow = workerpool.Reject
		}
		p := newPool(t, cfg)
		v := p.Limit(2)
		var stop atomic.Bool
		var begun, ended atomic.Uint64 // begun: before it is submitted; ended: at the task's last instruction
		task := func() {
			ended.Add(1)
			switch rand.IntN(40) {
			case 0:
				panic("x")
			case 1:
				runtime.Goexit()
			}
		}
		var producers, others sync.WaitGroup
		for k := range 3 {
			producers.Go(func() {
				for range scaled(1200) {
					begun.Add(1)
					switch k {
					case 0:
						_ = p.Submit(task)
					case 1:
						_ = v.Submit(task)
					case 2:
						ctx, cancel := context.WithCancel(bg)
						if rand.IntN(4) == 0 {
							go cancel()
						}
						_ = p.Do(ctx, workerpool.Task{Run: func(context.Context) error { task(); return nil }})
						cancel()
					}
				}
			})
		}
		for k := range 2 {
			others.Go(func() {
				last := p.Stats()
				for !stop.Load() {
					st := p.Stats()
					end, sub := ended.Load(), begun.Load()
					checkSnapshot(t, st)
					checkMonotonic(t, last, st)
					if st.Completed > end {
						t.Errorf("Completed %d is above reality %d", st.Completed, end)
					}
					if st.Submitted > sub {
						t.Errorf("Submitted %d is above reality %d", st.Submitted, sub)
					}
					last = st
					if k == 0 {
						_ = p.Resize(rand.IntN(2), 1+rand.IntN(cfg.MaxWorkers))
					} else if rand.IntN(10) == 0 {
						ctx, cancel := context.WithCancel(bg)
						go cancel()
						_ = p.Pause(ctx)
						p.Resume()
					}
					runtime.Gosched()
				}
			})
		}
		producers.Wait()
		stop.Store(true)
		others.Wait()
		p.Resume()
		require.NoError(t, p.Wait(bg))
		st := closeAndCheck(t, p)
		require.Equal(t, ended.Load(), st.Completed+st.Failed, "%+v", st)
	})
}

// A snapshot between two steps of a task's end: no part is more than its whole, and a task
// that its submitter ran and that panicked is not taken for completed, not even for a
// moment, which would stay.
func TestSnapshotsAtTheEndOfATask(t *testing.T) {
	watch(t)
	for _, size := range []int{workerpool.NoQueue, 1, 0} {
		p := newPool(t, workerpool.Config{
			MaxWorkers: 1, QueueSize: size, Overflow: workerpool.CallerRuns, Timing: workerpool.Off,
			OnPanic: func(*workerpool.PanicError) {},
		})
		var stop atomic.Bool
		var reader sync.WaitGroup
		reader.Go(func() {
			for !stop.Load() {
				st := p.Stats()
				checkSnapshot(t, st)
				if st.Completed > 0 {
					t.Errorf("completed: %d of %d", st.Completed, st.Started)
				}
				runtime.Gosched()
			}
		})
		for range scaled(8000) {
			if !t.Failed() {
				require.NoError(t, p.Submit(func() { panic("x") }))
			}
		}
		stop.Store(true)
		reader.Wait()
		require.Zero(t, closeAndCheck(t, p).Completed)
	}
}

// Tasks that wait long in an unbounded queue's overflow are measured from their
// acceptance.
func TestQueueWaitOfAnUnboundedQueue(t *testing.T) {
	for _, timing := range []workerpool.Timing{workerpool.Sampled, workerpool.Every, workerpool.Off} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.Unbounded, Timing: timing})
			for range 7 { // else the same tasks are sampled in the ring and before
				require.NoError(t, p.Submit(func() {}))
			}
			require.NoError(t, p.Pause(bg))
			for range 10000 {
				require.NoError(t, p.Submit(func() {}))
			}
			time.Sleep(time.Second)
			p.Resume()
			require.NoError(t, p.Wait(bg))
			q := p.Stats().QueueWait
			switch timing {
			case workerpool.Off:
				require.Zero(t, q.Count)
				return
			case workerpool.Every:
				require.EqualValues(t, 10007, q.Count)
			case workerpool.Sampled:
				require.InDelta(t, 10000, q.Count, 80)
			}
			require.Equal(t, time.Second, q.Max)
			require.InEpsilon(t, time.Second, q.Mean, 0.04, "all waited as long")
		})
	}
}

// Utilization is a number at zero workers, and so on.
func TestStatsGauges(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: 4, Timing: workerpool.Every})
	st := p.Stats()
	require.Zero(t, st.Utilization)
	require.Zero(t, st.QueueUsage)
	require.True(t, st.LastTask.IsZero())
	release := occupy(t, p, 2)
	require.NoError(t, p.Submit(func() {}))
	st = p.Stats()
	require.Equal(t, 1.0, st.Utilization)
	require.Equal(t, 0.25, st.QueueUsage)
	require.Equal(t, 1, st.Queued)
	require.Equal(t, 2, st.Active)
	release()
	st = closeAndCheck(t, p)
	require.False(t, st.LastTask.IsZero())
	require.EqualValues(t, 3, st.RunTime.Count)
	require.Equal(t, 2, st.HighWater)
}

// An error is a failure, not a completion too.
func TestFailedTasksAreNotCompleted(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{})
	require.ErrorIs(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return errBoom }}), errBoom)
	st := closeAndCheck(t, p)
	require.Zero(t, st.Completed)
	require.EqualValues(t, 1, st.Failed)
}
