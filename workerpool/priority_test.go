package workerpool_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// One worker takes from the highest level, each level in FIFO order, and every
// 64th time from a lower one, each in turn.
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
			var lower []int
			for _, level := range order[:400] {
				if level < 2 {
					lower = append(lower, level)
				}
			}
			require.InDelta(t, 400/64, len(lower), 1, "from lower levels among the first 400")
			for i := range lower[1:] {
				require.NotEqual(t, lower[i], lower[i+1], "in turn: %v", lower)
			}
			closeAndCheck(t, p)
		})
	}
}

// All levels but one never empty; that one must progress, whichever it is: it gets
// at least one of 64 × (Priorities - 1) takes.
func TestPriorityStarvation(t *testing.T) {
	watch(t)
	for _, workers := range []int{1, 2, 8} {
		for _, priorities := range []int{2, 3, 5} {
			for victim := range priorities {
				p := newPool(t, workerpool.Config{MaxWorkers: workers, Priorities: priorities, QueueSize: 16})
				var stop atomic.Bool
				var busy sync.WaitGroup
				for level := range priorities {
					if level == victim {
						continue
					}
					busy.Go(func() {
						for !stop.Load() {
							_ = workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, nil }, workerpool.WithPriority(level))
						}
					})
				}
				for range 5 {
					require.NoError(t, p.Do(bg, workerpool.Task{Priority: victim, Run: func(context.Context) error { return nil }}))
				}
				stop.Store(true)
				busy.Wait()
				closeAndCheck(t, p)
			}
		}
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
