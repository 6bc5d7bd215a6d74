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
	for _, v := range []*workerpool.View{nil, new(workerpool.View)} {
		for _, err := range []error{
			v.Submit(func() {}), v.TrySubmit(func() {}), v.SubmitContext(bg, func() {}), v.Resize(1),
			v.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}),
		} {
			require.ErrorIs(t, err, workerpool.ErrClosed)
		}
		require.NoError(t, v.Close())
		<-v.Done()
		require.Equal(t, workerpool.ViewStats{}, v.Stats())
	}
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
		ran := false
		require.NoError(t, p.Blocking(bg, func() { ran = true }))
		require.True(t, ran)
		<-p.Done()
		require.Equal(t, workerpool.Stats{}, p.Stats())
	}
	for _, v := range []*workerpool.FuncView[int]{nil, new(workerpool.FuncView[int])} {
		for _, err := range []error{v.Invoke(1), v.TryInvoke(1), v.InvokeContext(bg, 1), v.Resize(1)} {
			require.ErrorIs(t, err, workerpool.ErrClosed)
		}
		require.NoError(t, v.Close())
		<-v.Done()
		require.Equal(t, workerpool.ViewStats{}, v.Stats())
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
	one := func(context.Context) (int, error) { never(); return 1, nil }
	fp, err := workerpool.NewFunc(workerpool.Config{}, func(int) { never() })
	require.NoError(t, err)
	done := workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, nil })
	<-done.Done()
	for _, f := range []func(){
		func() { _ = p.SubmitContext(none, never) },
		func() { _ = p.Wait(none) },
		func() { _ = p.Blocking(none, never) },
		func() { _ = p.Do(none, workerpool.Task{Run: func(context.Context) error { never(); return nil }}) },
		func() { _ = p.Limit(1).SubmitContext(none, never) },
		func() { p.Group(none) },
		func() { _ = p.Pause(none) },
		func() { _ = p.Shutdown(none) },
		func() {
			_ = p.Limit(1).Do(none, workerpool.Task{Run: func(context.Context) error { never(); return nil }})
		},
		func() { workerpool.Go(none, p, one) },
		func() { _, _ = workerpool.TryGo(none, p, one) },
		func() { _, _ = done.Wait(none) },
		func() {
			workerpool.Map(none, p, count(1), func(context.Context, int) (int, error) { never(); return 0, nil })
		},
		func() { _ = fp.InvokeContext(none, 1) },
		func() { _ = fp.Blocking(none, never) },
		func() { _ = fp.Limit(1).InvokeContext(none, 1) },
	} {
		require.PanicsWithValue(t, "workerpool: nil Context", f)
	}
	require.NoError(t, fp.Close())
	require.NoError(t, p.Submit(func() {}))
	require.EqualValues(t, 2, closeAndCheck(t, p).Submitted)
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
