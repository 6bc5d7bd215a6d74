package workerpool_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func panicsHere(v any) { panic(v) }

func TestPanicReachesOnPanicWithItsStack(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		got := make(chan *workerpool.PanicError, 1)
		p := newPool(t, workerpool.Config{
			Name: "pump", MaxWorkers: 1, QueueSize: size,
			OnPanic: func(e *workerpool.PanicError) { got <- e },
		})
		require.NoError(t, p.Submit(func() { panicsHere(errBoom) }))
		e := <-got
		require.Equal(t, "pump", e.Name)
		require.ErrorIs(t, e, errBoom)
		require.Contains(t, string(e.Stack), "panicsHere")
		require.Equal(t, `workerpool: "pump": task panicked: boom`, e.Error())
		require.NoError(t, p.Submit(func() { panic(nil) }))
		require.IsType(t, (*runtime.PanicNilError)(nil), (<-got).Value)
		st := closeAndCheck(t, p)
		require.EqualValues(t, 2, st.Panics)
		require.EqualValues(t, 2, st.Failed)
		require.Zero(t, st.Completed)
	})
}

// The handler may panic, or end its goroutine, as often as it likes.
func TestPanicAndGoexitInTheHandler(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		n := 0
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, OnPanic: func(*workerpool.PanicError) {
			if n++; n%2 == 0 {
				runtime.Goexit()
			}
			panic("handler")
		}})
		var ran atomic.Int64
		for range 10 {
			require.NoError(t, p.Submit(func() { panic("task") }))
			require.NoError(t, p.Submit(func() { ran.Add(1) }))
		}
		st := closeAndCheck(t, p)
		require.EqualValues(t, 10, ran.Load())
		require.EqualValues(t, 10, st.Panics)
		require.EqualValues(t, 5, st.HandlerPanics)
	})
}

// gopool and gammazero: one Goexit kills a pool of one worker.
func TestGoexitAtMaxWorkers1(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, timing := range []workerpool.Timing{workerpool.Off, workerpool.Every} {
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, Timing: timing})
			n := uint64(scaled(1000))
			var ran atomic.Uint64
			for range n {
				require.NoError(t, p.Submit(runtime.Goexit))
				require.NoError(t, p.Submit(func() { ran.Add(1) }))
			}
			st := closeAndCheck(t, p)
			require.Equal(t, n, ran.Load())
			require.Equal(t, n, st.Goexits)
			require.Equal(t, n, st.Completed)
			require.Equal(t, 1, st.HighWater)
		}
	})
}

// Everything that can go wrong in a task, from all sides at once.
func TestAllEndsUnderStress(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		var handled atomic.Uint64
		cfg.OnPanic = func(*workerpool.PanicError) { handled.Add(1) }
		p := newPool(t, cfg)
		n := uint64(scaled(100))
		futures := make([]*workerpool.Future[int], 0, 4*n)
		for range n {
			require.NoError(t, p.Submit(func() { panic("x") }))
			require.NoError(t, p.Submit(runtime.Goexit))
			require.NoError(t, p.Submit(func() {}))
			for kind := range 4 {
				futures = append(futures, workerpool.Go(bg, p, func(context.Context) (int, error) {
					switch kind {
					case 0:
						panic("y")
					case 1:
						runtime.Goexit()
					case 2:
						return 0, errBoom
					}
					return kind, nil
				}))
			}
		}
		for i, f := range futures {
			_, err := f.Wait(bg)
			switch i % 4 {
			case 0:
				var pe *workerpool.PanicError
				require.ErrorAs(t, err, &pe)
			case 1:
				require.ErrorIs(t, err, workerpool.ErrGoexit)
			case 2:
				require.ErrorIs(t, err, errBoom)
			case 3:
				require.NoError(t, err)
			}
		}
		st := closeAndCheck(t, p)
		require.Equal(t, n, handled.Load(), "panics under futures are theirs")
		require.Equal(t, 2*n, st.Panics)
		require.Equal(t, 2*n, st.Goexits)
		require.Equal(t, 5*n, st.Failed)
		require.Equal(t, 2*n, st.Completed)
	})
}

func TestCallerRunsSurvivesAPanic(t *testing.T) {
	watch(t)
	var handled atomic.Int64
	for _, size := range []int{workerpool.NoQueue, 1} {
		p := newPool(t, workerpool.Config{
			MaxWorkers: 1, QueueSize: size, Overflow: workerpool.CallerRuns,
			OnPanic: func(*workerpool.PanicError) { handled.Add(1) },
		})
		release := occupy(t, p, 1)
		if size == 1 {
			require.NoError(t, p.Submit(func() {}))
		}
		ran := false
		require.NoError(t, p.Submit(func() { ran = true }))
		require.True(t, ran, "before Submit returns")
		require.NoError(t, p.Submit(func() { panic("x") }))
		ended := make(chan struct{})
		go func() { // Goexit in the caller ends the caller
			defer close(ended)
			_ = p.Submit(runtime.Goexit)
			t.Error("went on")
		}()
		<-ended
		release()
		st := closeAndCheck(t, p)
		require.EqualValues(t, 3, st.CallerRan)
		require.EqualValues(t, 1, st.Panics)
		require.EqualValues(t, 1, st.Goexits)
	}
	require.EqualValues(t, 2, handled.Load())
}

func TestPanicErrorLabel(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{Name: "n"})
	err := p.Do(bg, workerpool.Task{Label: "upload", Run: func(context.Context) error { panicsHere(7); return nil }})
	require.EqualError(t, err, `workerpool: "n": task "upload" panicked: 7`)
	var pe *workerpool.PanicError
	require.ErrorAs(t, err, &pe)
	require.True(t, strings.Contains(string(pe.Stack), "panicsHere"))
	require.Equal(t, "7", fmt.Sprint(pe.Value))
}
