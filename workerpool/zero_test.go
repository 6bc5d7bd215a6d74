package workerpool_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestZeroPool(t *testing.T) {
	for _, p := range []*workerpool.Pool{nil, new(workerpool.Pool)} {
		checkAllClosed(t, p, p.Limit(3), p.Group(bg))
		require.Equal(t, workerpool.Stats{}, p.Stats())
		require.ErrorIs(t, p.Submit(nil), workerpool.ErrNilTask)
	}
	v := new(workerpool.View)
	require.ErrorIs(t, v.Submit(func() {}), workerpool.ErrClosed)
	require.Zero(t, v.Stats().Running)
}

func TestZeroFuncPool(t *testing.T) {
	for _, p := range []*workerpool.FuncPool[int]{nil, new(workerpool.FuncPool[int])} {
		for _, err := range []error{p.Invoke(1), p.TryInvoke(1), p.InvokeContext(bg, 1), p.Resize(0, 1), p.Pause(bg)} {
			require.ErrorIs(t, err, workerpool.ErrClosed)
		}
		for _, err := range []error{p.Wait(bg), p.Close(), p.Shutdown(bg)} {
			require.NoError(t, err)
		}
		p.Resume()
		require.Equal(t, workerpool.Stats{}, p.Stats())
	}
}

// ants: Submit(nil) kills the worker.
func TestNilTasks(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{QueueSize: size})
		v := p.Limit(1)
		g := p.Group(bg)
		g.Go(nil)
		for _, err := range []error{
			p.Submit(nil), p.TrySubmit(nil), p.SubmitContext(bg, nil), p.Do(bg, workerpool.Task{}),
			v.Submit(nil), v.TrySubmit(nil), v.SubmitContext(bg, nil), v.Do(bg, workerpool.Task{}), g.Wait(),
		} {
			require.ErrorIs(t, err, workerpool.ErrNilTask)
		}
		require.Zero(t, closeAndCheck(t, p).Submitted)
	})
}

// A nil ctx is the caller's mistake and panics before anything has happened.
func TestNilContext(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1})
	var none context.Context
	never := func() { t.Error("ran") }
	for _, f := range []func(){
		func() { _ = p.SubmitContext(none, never) },
		func() { _ = p.Wait(none) },
		func() { _ = p.Blocking(none, never) },
		func() { _ = p.Do(none, workerpool.Task{Run: func(context.Context) error { never(); return nil }}) },
		func() { _ = p.Limit(1).SubmitContext(none, never) },
		func() { p.Group(none) },
	} {
		require.Panics(t, f)
	}
	require.NoError(t, p.Submit(func() {}))
	require.EqualValues(t, 1, closeAndCheck(t, p).Submitted)
}

func TestFuncPool(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		sum := make(chan int, 300)
		p, err := workerpool.NewFunc(cfg, func(n int) { sum <- n })
		require.NoError(t, err)
		for i := range 100 {
			require.NoError(t, p.Invoke(i))
			require.NoError(t, p.InvokeContext(bg, i))
			for p.TryInvoke(i) != nil {
				runtime.Gosched()
			}
		}
		require.NoError(t, p.Wait(bg))
		require.NoError(t, p.Close())
		checkBooks(t, p.Stats())
		total := 0
		for range 300 {
			total += <-sum
		}
		require.Equal(t, 3*4950, total)
		require.ErrorIs(t, p.Invoke(1), workerpool.ErrClosed)
	})
}
