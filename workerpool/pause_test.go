package workerpool_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// After Pause returned nil nothing runs and nothing starts, however much comes.
func TestNothingRunsWhilePaused(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		p := newPool(t, cfg)
		var running, paused, ran atomic.Int64
		var stop atomic.Bool
		var accepted atomic.Int64
		var producers sync.WaitGroup
		for range 2 {
			producers.Go(func() {
				for !stop.Load() && accepted.Load() < 20000 {
					err := p.Submit(func() {
						running.Add(1)
						if paused.Load() != 0 {
							t.Error("a task runs while the pool is paused")
						}
						ran.Add(1)
						running.Add(-1)
					})
					if err != nil {
						t.Error(err)
					}
					accepted.Add(1)
				}
			})
		}
		for range scaled(20) {
			if err := p.Pause(bg); err != nil {
				t.Error(err)
			}
			paused.Store(1)
			if n := running.Load(); n != 0 {
				t.Errorf("%d run although Pause returned", n)
			}
			runtime.Gosched()
			paused.Store(0)
			p.Resume()
		}
		stop.Store(true)
		producers.Wait()
		require.NoError(t, p.Wait(bg))
		require.Equal(t, accepted.Load(), ran.Load())
		closeAndCheck(t, p)
	})
}

func TestPauseWithContext(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
		release := occupy(t, p, 1)
		ctx, cancel := context.WithCancel(bg)
		result := make(chan error)
		go func() { result <- p.Pause(ctx) }()
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		ran := make(chan struct{})
		go func() { // it stays paused: this waits for Resume, in the queue or for a worker
			if err := p.Submit(func() { close(ran) }); err != nil {
				t.Error(err)
			}
		}()
		until(t, "queued or blocked", func() bool { st := p.Stats(); return st.Queued+int(st.Waits) > 0 })
		release()
		require.NoError(t, p.Pause(bg), "twice is fine")
		select {
		case <-ran:
			t.Fatal("ran while paused")
		default:
		}
		p.Resume()
		<-ran
		p.Resume()
		closeAndCheck(t, p)
	})
}

func TestPauseAndClose(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for i := range scaled(60) {
			p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
			var accepted, ran atomic.Int64
			var all sync.WaitGroup
			all.Go(func() {
				for p.Submit(func() { ran.Add(1) }) == nil {
					accepted.Add(1)
				}
			})
			for range 2 {
				all.Go(func() {
					for {
						if err := p.Pause(bg); err != nil {
							require.ErrorIs(t, err, workerpool.ErrClosed)
							return
						}
						if i%2 == 0 {
							p.Resume()
						}
					}
				})
			}
			all.Go(func() {
				runtime.Gosched()
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
			all.Wait()
			require.Equal(t, accepted.Load(), ran.Load())
			closeAndCheck(t, p)
		}
	})
}

// DropOldest makes room in a paused pool as well.
func TestDropOldestWhilePaused(t *testing.T) {
	watch(t)
	for _, size := range []int{1, 2, 7} {
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 1, Overflow: workerpool.DropOldest})
		require.NoError(t, p.Pause(bg))
		var ran []int
		for i := range 20 {
			require.NoError(t, p.Submit(func() { ran = append(ran, i) }))
		}
		p.Resume()
		st := closeAndCheck(t, p)
		require.EqualValues(t, 20-size, st.Dropped)
		want := []int{}
		for i := 20 - size; i < 20; i++ {
			want = append(want, i)
		}
		require.Equal(t, want, ran, "the newest, in order")
	}
}

// Views hand their next task to the pool when one ends; not to a paused one.
func TestPauseHoldsViews(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{QueueSize: size, MaxWorkers: 2})
		v := p.Limit(1)
		gate, open := newGate(t)
		in := make(chan struct{})
		require.NoError(t, v.Submit(func() { close(in); <-gate }))
		<-in
		var ran atomic.Int64
		var subs sync.WaitGroup
		for range 3 {
			subs.Go(func() {
				if err := v.Submit(func() { ran.Add(1) }); err != nil {
					t.Error(err)
				}
			})
		}
		until(t, "three wait", func() bool { st := v.Stats(); return st.Queued+st.Waiters == 3 })
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_ = p.Pause(ctx)
		open()
		require.NoError(t, p.Pause(bg))
		require.Zero(t, ran.Load())
		checkSnapshot(t, p.Stats())
		p.Resume()
		subs.Wait()
		require.NoError(t, p.Wait(bg))
		require.EqualValues(t, 3, ran.Load())
		closeAndCheck(t, p)
	})
}

func TestPauseWithEndedContext(t *testing.T) {
	p, err := workerpool.New(workerpool.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	require.ErrorIs(t, p.Pause(ctx), context.Canceled)
	ran := make(chan struct{})
	require.NoError(t, p.Submit(func() { close(ran) }))
	require.NoError(t, p.Pause(bg))
	select {
	case <-ran:
		t.Fatal("ran while paused")
	default:
	}
	p.Resume()
	<-ran
	closeAndCheck(t, p)
}
