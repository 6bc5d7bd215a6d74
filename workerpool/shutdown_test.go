package workerpool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestShutdownExpires(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: 8})
	ctx, cancel := context.WithCancelCause(bg)
	started := make(chan struct{})
	gate, open := newGate(t)
	require.NoError(t, p.Submit(func() { started <- struct{}{}; <-gate })) // has no ctx to be cancelled
	stubborn := workerpool.Go(bg, p, func(ctx context.Context) (int, error) {
		started <- struct{}{}
		<-ctx.Done()
		<-gate
		return 7, context.Cause(ctx)
	})
	<-started
	<-started
	require.NoError(t, p.Submit(func() { t.Error("a dropped task ran") }))
	queued := workerpool.Go(bg, p, func(context.Context) (int, error) { t.Error("ran"); return 0, nil })
	g := p.Group(bg)
	g.Go(func(context.Context) error { t.Error("ran"); return nil })
	var do sync.WaitGroup
	do.Go(func() {
		require.ErrorIs(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { t.Error("ran"); return nil }}), workerpool.ErrClosed)
	})
	until(t, "4 queued", func() bool { return p.Stats().Queued == 4 })

	result := make(chan error)
	go func() { result <- p.Shutdown(ctx) }()
	untilClosed(t, p)
	cancel(errBoom)
	err := <-result
	var se *workerpool.ShutdownError
	require.ErrorAs(t, err, &se)
	require.Len(t, se.Dropped, 4)
	require.Equal(t, 2, se.Running)
	require.ErrorIs(t, err, errBoom)
	require.EqualError(t, err, "workerpool: shutdown ended early with 4 queued tasks dropped and 2 still running: context canceled: boom")

	_, err = queued.Wait(bg)
	require.ErrorIs(t, err, workerpool.ErrClosed)
	require.ErrorIs(t, g.Wait(), workerpool.ErrClosed)
	do.Wait()
	open()
	v, err := stubborn.Wait(bg)
	require.Equal(t, 7, v)
	require.ErrorIs(t, err, workerpool.ErrClosed, "the cause of a running task's end")
	require.NoError(t, p.Close()) // waits for the two
	st := p.Stats()
	checkBooks(t, st)
	require.EqualValues(t, 4, st.Dropped)
	require.Zero(t, st.Workers)
}

// Tasks that start at the moment of expiry have their ctx cancelled too: none may
// be left that waits for a ctx which never ends.
func TestShutdownExpiresWhileTasksStart(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for range scaled(300) {
			p := newPool(t, workerpool.Config{MaxWorkers: 3, QueueSize: size})
			ctx, cancel := context.WithCancel(bg)
			var accepted, ended atomic.Int64
			var producers sync.WaitGroup
			for range 4 {
				producers.Go(func() {
					for {
						fut := workerpool.Go(bg, p, func(ctx context.Context) (int, error) {
							if accepted.Load()%3 == 0 {
								<-ctx.Done()
							}
							return 0, nil
						})
						accepted.Add(1)
						go func() { _, _ = fut.Wait(bg); ended.Add(1) }()
						select {
						case <-fut.Done():
							if _, err := fut.Wait(bg); errors.Is(err, workerpool.ErrClosed) {
								return
							}
						default:
						}
						if accepted.Load() > 50 {
							return
						}
					}
				})
			}
			until(t, "some", func() bool { return accepted.Load() >= 2 })
			cancel()
			_ = p.Shutdown(ctx)
			producers.Wait()
			require.NoError(t, p.Close())
			until(t, "all futures resolved", func() bool { return ended.Load() == accepted.Load() })
			checkBooks(t, p.Stats())
		}
	})
}

// Whatever Shutdown drops and runs, together with what was refused, is what
// was submitted.
func TestShutdownExpiryLosesCountOfNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		for range scaled(8) {
			p := newPool(t, cfg)
			var accepted, ran atomic.Int64
			var producers sync.WaitGroup
			for range 3 {
				producers.Go(func() {
					for p.Submit(func() { ran.Add(1) }) == nil {
						accepted.Add(1)
					}
				})
			}
			until(t, "some", func() bool { return accepted.Load() > 20 })
			ctx, cancel := context.WithCancel(bg)
			cancel()
			_ = p.Shutdown(ctx)
			producers.Wait()
			require.NoError(t, p.Close())
			st := p.Stats()
			checkBooks(t, st)
			require.Zero(t, st.Queued)
			require.EqualValues(t, accepted.Load(), st.Submitted, "%+v", st)
			require.EqualValues(t, ran.Load(), st.Completed, "%+v", st)
			require.EqualValues(t, accepted.Load(), st.Completed+st.Dropped, "%+v", st)
		}
	})
}

// Shutdown is bounded by its ctx even where a Monitor's function does not return.
func TestShutdownWithAStuckMonitor(t *testing.T) {
	watch(t)
	gate, open := newGate(t)
	in := make(chan struct{}, 1)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, Monitor: &workerpool.Monitor{
		Interval: workerpool.MinInterval,
		OnSample: func(workerpool.Stats) {
			select {
			case in <- struct{}{}:
			default:
			}
			<-gate
		},
	}})
	<-in
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_ = p.Shutdown(ctx)
	open()
	require.NoError(t, p.Close())
}

// After an expired Shutdown, Close still waits for what runs.
func TestCloseAfterAnExpiredShutdownWaits(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		gate, open := newGate(t)
		in := make(chan struct{})
		var ended atomic.Bool
		require.NoError(t, p.Submit(func() { close(in); <-gate; ended.Store(true) }))
		<-in
		ctx, cancel := context.WithCancel(bg)
		cancel()
		var se *workerpool.ShutdownError
		require.ErrorAs(t, p.Shutdown(ctx), &se)
		require.Equal(t, 1, se.Running)
		require.ErrorAs(t, p.Shutdown(ctx), &se, "again")
		done := make(chan bool)
		go func() { require.NoError(t, p.Close()); done <- ended.Load() }()
		open()
		require.True(t, <-done)
		checkBooks(t, p.Stats())
		require.Zero(t, p.Stats().Workers)
	})
}
