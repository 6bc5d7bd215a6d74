package workerpool_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// What is dropped comes to OnDrop, and comes back from Shutdown: with its label, its
// function, or its argument.
func TestDroppedTasksComeBack(t *testing.T) {
	watch(t)
	var got []workerpool.DroppedTask
	p := newPool(t, workerpool.Config{
		MaxWorkers: 1, QueueSize: 2, Overflow: workerpool.DropOldest,
		OnDrop: func(d workerpool.DroppedTask) { got = append(got, d) },
	})
	gate, open := newGate(t)
	in := make(chan struct{})
	require.NoError(t, p.Submit(func() { close(in); <-gate }))
	<-in
	hits := 0
	require.NoError(t, p.Submit(func() { hits++ }))
	fut := workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, nil }, workerpool.WithLabel("lease 7"))
	require.NoError(t, p.Submit(func() {}))
	require.NoError(t, p.Submit(func() {}))
	require.Len(t, got, 2)
	require.ErrorIs(t, got[0].Err, workerpool.ErrDropped)
	require.Contains(t, got[0].Label, "TestDroppedTasksComeBack")
	got[0].Func()
	require.Equal(t, 1, hits, "the very function")
	require.Equal(t, "lease 7", got[1].Label)
	require.Nil(t, got[1].Func)
	_, err := fut.Wait(bg)
	require.ErrorIs(t, err, workerpool.ErrDropped)
	v := p.Limit(1)
	require.NoError(t, v.Submit(func() {})) // drops one, has the place
	require.NoError(t, v.Submit(func() {}))
	ctx, cancel := context.WithCancel(bg)
	cancel()
	var se *workerpool.ShutdownError
	require.ErrorAs(t, p.Shutdown(ctx), &se)
	require.Len(t, se.Dropped, 3)
	require.Len(t, got, 6)
	for _, d := range got[3:] {
		require.ErrorIs(t, d.Err, workerpool.ErrClosed)
		require.NotNil(t, d.Func)
	}
	open()
	closeAndCheck(t, p)
}

// However OnDrop ends, it gets each of the tasks that an expired Shutdown drops.
func TestEachDroppedTaskIsReported(t *testing.T) {
	watch(t)
	for _, end := range ends {
		reported := 0
		p := newPool(t, workerpool.Config{MaxWorkers: 1, OnDrop: func(workerpool.DroppedTask) { reported++; _ = end.end() }})
		release := occupy(t, p, 1)
		for range 5 {
			require.NoError(t, p.Submit(func() { t.Error("ran") }))
		}
		ctx, cancel := context.WithCancel(bg)
		cancel()
		over := make(chan struct{})
		go func() { // end may end it
			defer close(over)
			_ = p.Shutdown(ctx)
		}()
		<-over
		require.Equal(t, 5, reported, end.name)
		release()
		closeAndCheck(t, p)
	}
}

func TestDroppedArgumentsComeBack(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		gate, open := newGate(t)
		in := make(chan struct{}, 1)
		p, err := workerpool.NewFunc(workerpool.Config{MaxWorkers: 1, QueueSize: size}, func(int) { in <- struct{}{}; <-gate })
		require.NoError(t, err)
		v := p.Limit(1)
		require.NoError(t, v.Invoke(1))
		<-in
		want := []any{}
		for _, invoke := range []func(int) error{v.TryInvoke, p.TryInvoke} {
			if n := 10 + len(want); invoke(n) == nil {
				want = append(want, n)
			}
		}
		ctx, cancel := context.WithCancel(bg)
		cancel()
		var se *workerpool.ShutdownError
		require.ErrorAs(t, p.Shutdown(ctx), &se)
		args := []any{}
		for _, d := range se.Dropped {
			args = append(args, d.Arg)
		}
		require.ElementsMatch(t, want, args)
		open()
		require.NoError(t, p.Close())
		checkBooks(t, p.Stats())
	})
}
