package workerpool_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// One worker takes from the highest level, each level in FIFO order, and every
// 64th time from the lowest.
func TestPriorityOrderAndNoStarvation(t *testing.T) {
	for _, size := range []int{500, workerpool.Unbounded} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Priorities: 3})
			require.NoError(t, p.Pause(bg))
			var order []int // by the only worker
			next := [3]int{}
			g := p.Group(bg)
			for i := range 400 {
				for level := range 3 {
					g.Go(func(context.Context) error {
						require.Equal(t, i, next[level], "FIFO within a level")
						next[level]++
						order = append(order, level)
						return nil
					}, workerpool.WithPriority(level))
				}
			}
			p.Resume()
			require.NoError(t, g.Wait())
			low := 0
			for i, level := range order[:400] {
				switch {
				case level == 0:
					low++
				default:
					require.Equal(t, 2, level, "at %d", i)
				}
			}
			require.InDelta(t, 400/64, low, 1, "from the lowest among the first 400")
			closeAndCheck(t, p)
		})
	}
}

// The highest level never empties; the lowest must progress.
func TestPriorityStarvation(t *testing.T) {
	watch(t)
	for _, workers := range []int{1, 2, 8} {
		p := newPool(t, workerpool.Config{MaxWorkers: workers, Priorities: 2, QueueSize: 64})
		var stop atomic.Bool
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for !stop.Load() {
				_ = workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, nil }, workerpool.WithPriority(1))
			}
		}()
		for range 20 {
			require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}))
		}
		stop.Store(true)
		<-ended
		closeAndCheck(t, p)
	}
}

func TestPriorityOutOfRange(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{Priorities: 2})
	run := func(context.Context) error { t.Error("ran"); return nil }
	require.EqualError(t, p.Do(bg, workerpool.Task{Run: run, Priority: 2}), "workerpool: Priority 2 is not in 0..1")
	require.EqualError(t, p.Do(bg, workerpool.Task{Run: run, Priority: -1}), "workerpool: Priority -1 is not in 0..1")
	require.EqualError(t, p.Do(bg, workerpool.Task{Run: run, Timeout: -1}), "workerpool: Timeout -1ns is negative")
	require.ErrorIs(t, p.Do(bg, workerpool.Task{}), workerpool.ErrNilTask)
	_, err := workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, run(bg) }, workerpool.WithPriority(7)).Wait(bg)
	require.EqualError(t, err, "workerpool: Priority 7 is not in 0..1")
	g := p.Group(bg)
	g.Go(run, workerpool.WithPriority(9))
	require.EqualError(t, g.Wait(), "workerpool: Priority 9 is not in 0..1")
	require.Zero(t, closeAndCheck(t, p).Submitted)
}
