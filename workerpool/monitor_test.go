package workerpool_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestMonitorSamplesAtItsInterval(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		p := newPool(t, workerpool.Config{Name: "m", Monitor: &workerpool.Monitor{
			Interval: time.Minute,
			OnSample: func(st workerpool.Stats) {
				checkSnapshot(t, st)
				at = append(at, time.Since(start))
				switch len(at) {
				case 1:
					panic("contained")
				case 2:
					runtime.Goexit()
				}
			},
		}})
		time.Sleep(4*time.Minute + time.Second)
		require.NoError(t, p.Close())
		time.Sleep(time.Hour)
		require.Equal(t, []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute}, at)
	})
}

// Close waits for a sample that runs, and none runs afterwards.
func TestMonitorVersusClose(t *testing.T) {
	watch(t)
	for range scaled(20) {
		var closed bool // written after Close: the race detector sees a late sample
		in := make(chan struct{}, 1)
		p := newPool(t, workerpool.Config{MaxWorkers: 2, Monitor: &workerpool.Monitor{
			Interval: time.Millisecond,
			OnSample: func(workerpool.Stats) {
				if closed {
					t.Error("a sample after Close")
				}
				select {
				case in <- struct{}{}:
				default:
				}
			},
			Scale: func(now, _ workerpool.Stats) int { return int(now.Submitted) % 4 },
		}})
		<-in
		require.NoError(t, p.Submit(func() {}))
		require.NoError(t, p.Close())
		closed = true
		require.Zero(t, p.Stats().Workers)
	}
}

func TestMonitorScale(t *testing.T) {
	for _, size := range []int{0, workerpool.NoQueue} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				var want atomic.Int64
				want.Store(3)
				lo := 1
				p := newPool(t, workerpool.Config{
					MinWorkers: 1, MaxWorkers: 5, QueueSize: size, IdleTimeout: time.Second,
					Monitor: &workerpool.Monitor{Interval: time.Minute, Scale: func(workerpool.Stats, workerpool.Stats) int { return int(want.Load()) }},
				})
				check := func(n int) {
					t.Helper()
					time.Sleep(time.Minute + 10*time.Second)
					synctest.Wait()
					st := p.Stats()
					require.Equal(t, n, st.Workers)
					require.Equal(t, lo, st.MinWorkers, "as configured")
				}
				check(3)
				want.Store(99)
				check(5)
				want.Store(-7)
				check(1)
				want.Store(2)
				check(2)
				lo = 4
				require.NoError(t, p.Resize(4, 4))
				require.Equal(t, 4, p.Stats().Workers)
				check(4)
				closeAndCheck(t, p)
			})
		})
	}
}

func TestScaleByBacklog(t *testing.T) {
	f := workerpool.ScaleByBacklog(2)
	require.Equal(t, 3+4+2, f(workerpool.Stats{Active: 3, Queued: 4}, workerpool.Stats{Workers: 8}))
	require.Equal(t, 6, f(workerpool.Stats{}, workerpool.Stats{Workers: 8}), "at most a quarter less")
}

func stuckTask(gate chan struct{}) func() { return func() { <-gate } }

func TestMonitorReportsStalls(t *testing.T) {
	for _, size := range []int{0, workerpool.NoQueue} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				var reports []workerpool.StallReport
				p := newPool(t, workerpool.Config{Name: "s", MaxWorkers: 4, QueueSize: size, Monitor: &workerpool.Monitor{
					Interval:   10 * time.Second,
					StallAfter: 15 * time.Second,
					OnStall:    func(r workerpool.StallReport) { reports = append(reports, r) },
				}})
				gate, open := newGate(t)
				require.NoError(t, p.Submit(stuckTask(gate)))
				time.Sleep(5 * time.Second)
				fut := workerpool.Go(bg, p, func(context.Context) (int, error) { <-gate; return 0, nil }, workerpool.WithLabel("import"))
				v := p.Limit(1)
				require.NoError(t, v.Submit(stuckTask(gate)))
				require.NoError(t, p.Submit(runtime.Goexit))
				require.NoError(t, p.Submit(func() {}))
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Len(t, reports, 1, "each task is new once; all within one interval")
				r := reports[0]
				require.Equal(t, "s", r.Pool)
				require.Len(t, r.Tasks, 3)
				require.Equal(t, 20*time.Second, r.Tasks[0].Running)
				require.True(t, strings.Contains(r.Tasks[0].Label, "stuckTask"), r.Tasks[0].Label)
				labels := r.Tasks[1].Label + r.Tasks[2].Label
				require.Contains(t, labels, "import")
				require.Contains(t, labels, "stuckTask")
				open()
				_, err := fut.Wait(bg)
				require.NoError(t, err)
				closeAndCheck(t, p)
			})
		})
	}
}

// The longest running task comes first, also where the difference does not fit into
// 32 bits.
func TestStallsAreSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got workerpool.StallReport
		p := newPool(t, workerpool.Config{MaxWorkers: 3, Monitor: &workerpool.Monitor{
			StallAfter: time.Second, OnStall: func(r workerpool.StallReport) { got = r },
		}})
		gate, open := newGate(t)
		for _, label := range []string{"first", "second", "third"} {
			workerpool.Go(bg, p, func(context.Context) (int, error) { <-gate; return 0, nil }, workerpool.WithLabel(label))
			time.Sleep(3 * time.Second) // between 2³¹ and 2³² ns
		}
		open()
		closeAndCheck(t, p)
		require.Len(t, got.Tasks, 3)
		for i, label := range []string{"first", "second", "third"} {
			require.Equal(t, label, got.Tasks[i].Label)
		}
	})
}
