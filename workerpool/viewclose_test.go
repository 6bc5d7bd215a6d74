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

// FuncPool's views keep their cap and lose nothing.
func TestFuncView(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		var g gauge
		var sum atomic.Int64
		p, err := workerpool.NewFunc(workerpool.Config{MaxWorkers: 4, QueueSize: size}, func(n int) {
			if n > 0 {
				g.in()
				sum.Add(int64(n))
				g.out()
			}
		})
		require.NoError(t, err)
		v := p.Limit(2)
		for i := range 200 {
			require.NoError(t, v.Invoke(1))
			require.NoError(t, v.InvokeContext(bg, 1))
			require.NoError(t, p.Invoke(-i))
		}
		require.NoError(t, v.Close())
		require.EqualValues(t, 400, sum.Load())
		require.LessOrEqual(t, g.most.Load(), int64(2))
		require.ErrorIs(t, v.Invoke(1), workerpool.ErrClosed)
		require.EqualValues(t, 400, v.Stats().Ended)
		<-v.Done()
		require.NoError(t, p.Close())
		checkBooks(t, p.Stats())
		zero := new(workerpool.FuncPool[int]).Limit(1)
		require.ErrorIs(t, errors.Join(zero.Invoke(1), zero.TryInvoke(1), zero.InvokeContext(bg, 1), zero.Resize(1)), workerpool.ErrClosed)
		require.NoError(t, zero.Close())
		<-zero.Done()
	})
}

// Resize of a view lets queued tasks go at once; Close runs what it accepted, refuses
// the rest, leaves the pool open; Done says when all is over, also after the pool's.
func TestViewResizeAndClose(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 4, QueueSize: size})
		v := p.Limit(1)
		gate, open := newGate(t)
		var g gauge
		var ran atomic.Int64
		task := func() { g.in(); <-gate; g.out(); ran.Add(1) }
		accepted := int64(0)
		for range 3 {
			if v.TrySubmit(task) == nil {
				accepted++
			}
		}
		until(t, "one runs", func() bool { return g.now.Load() == 1 })
		require.NoError(t, v.Resize(3))
		until(t, "all run", func() bool { return g.now.Load() == accepted })
		require.NoError(t, v.Resize(0))
		require.Equal(t, 1, v.Stats().Limit)
		var refused sync.WaitGroup
		if room := max(size, 0); room < 3 && size != 0 {
			for range room {
				require.NoError(t, v.Submit(task))
				accepted++
			}
			refused.Go(func() { require.ErrorIs(t, v.Submit(task), workerpool.ErrClosed) })
			until(t, "it waits", func() bool { return v.Stats().Waiters == 1 })
		}
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- v.Close() }()
		}
		until(t, "it refuses", func() bool { return errors.Is(v.TrySubmit(func() {}), workerpool.ErrClosed) })
		refused.Wait()
		require.ErrorIs(t, v.Resize(2), workerpool.ErrClosed)
		select {
		case <-v.Done():
			t.Error("done while tasks run")
		default:
		}
		open()
		require.NoError(t, <-closed)
		require.NoError(t, <-closed)
		<-v.Done()
		require.Equal(t, accepted, ran.Load())
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}), "the pool goes on")

		in := p.Limit(1)
		require.ErrorIs(t, in.Do(bg, workerpool.Task{Run: func(context.Context) error { return in.Close() }}), workerpool.ErrInside)
		other := p.Limit(1)
		require.NoError(t, other.Submit(func() {}))
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return other.Close() }}), "from another task")
		for _, used := range []bool{false, true} {
			w := p.Limit(1)
			if used {
				require.NoError(t, w.Submit(func() {}))
			}
			if used {
				defer func() { <-w.Done() }()
			}
			done := w.Done()
			defer func() { <-done }()
		}
		closeAndCheck(t, p)
	})
}
