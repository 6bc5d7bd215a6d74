package workerpool_test

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// What a worker does after a task it does however the task ended.

// A worker too many ends after its task and takes no other.
func TestASurplusWorkerEndsHoweverItsTaskEnds(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, end := range ends {
			p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size, OnPanic: func(*workerpool.PanicError) {}})
			release := occupy(t, p, 1)
			gate, open := newGate(t)
			in := make(chan struct{})
			require.NoError(t, p.Submit(func() { close(in); <-gate; _ = end.end() }))
			<-in
			var busy, early atomic.Bool
			busy.Store(true)
			var sub sync.WaitGroup
			sub.Go(func() { require.NoError(t, p.Submit(func() { early.Store(busy.Load()) })) })
			until(t, "it waits", func() bool { st := p.Stats(); return st.Queued+st.Waiters == 1 })
			require.NoError(t, p.Resize(0, 1))
			open()
			until(t, "one worker", func() bool { return p.Stats().Workers == 1 })
			busy.Store(false)
			release()
			sub.Wait()
			closeAndCheck(t, p)
			require.False(t, early.Load(), "%s: a second task ran at MaxWorkers 1", end.name)
		}
	})
}

// The worker that runs a Do from inside is one too many when that ends: nothing runs
// beside the task that goes on then.
func TestNestedDoKeepsTheCapHoweverItEnds(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, end := range ends {
			for range scaled(40) {
				p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
				var running gauge
				var subs sync.WaitGroup
				require.NoError(t, p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
					for range 3 {
						subs.Go(func() {
							require.NoError(t, p.Submit(func() { running.in(); runtime.Gosched(); running.out() }))
						})
					}
					until(t, "they wait", func() bool { st := p.Stats(); return st.Queued+st.Waiters == 3 })
					_ = p.Do(ctx, workerpool.Task{Run: func(context.Context) error { return end.end() }})
					running.in()
					for range 100 {
						runtime.Gosched()
					}
					running.out()
					return nil
				}}))
				subs.Wait()
				closeAndCheck(t, p)
				require.EqualValues(t, 1, running.most.Load(), end.name)
			}
		}
	})
}

// The labels that a task sets are not those of the next.
func TestLabelsAreClearedHoweverTheTaskEnds(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, end := range ends {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, OnPanic: func(*workerpool.PanicError) {}})
			require.NoError(t, p.Submit(func() {
				pprof.SetGoroutineLabels(pprof.WithLabels(bg, pprof.Labels("left", "behind")))
				_ = end.end()
			}))
			labels := make(chan string)
			require.NoError(t, p.Submit(func() { labels <- ownLabels(t) }))
			require.Empty(t, <-labels, end.name)
			closeAndCheck(t, p)
		}
	})
}
