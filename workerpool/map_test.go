package workerpool_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestMapKeepsTheOrder(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 4, QueueSize: size})
		i := 0
		for v, err := range workerpool.Map(bg, p, count(500), func(_ context.Context, n int) (int, error) {
			if n%3 == 0 {
				runtime.Gosched()
			}
			switch n % 10 {
			case 7:
				panic(errBoom)
			case 8:
				runtime.Goexit()
			case 9:
				return n, errBoom
			}
			return n * n, nil
		}) {
			switch i % 10 {
			case 7, 9:
				require.ErrorIs(t, err, errBoom)
			case 8:
				require.ErrorIs(t, err, workerpool.ErrGoexit)
			default:
				require.NoError(t, err)
				require.Equal(t, i*i, v)
			}
			i++
		}
		require.Equal(t, 500, i)
		closeAndCheck(t, p)
	})
}

// Leaving the loop cancels what was begun and waits for it; the input is endless.
func TestMapBreak(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		var running, read atomic.Int64
		endless := func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
				read.Add(1)
			}
		}
		seq := workerpool.Map(bg, p, endless, func(ctx context.Context, n int) (int, error) {
			running.Add(1)
			defer running.Add(-1)
			if n == 11 {
				<-ctx.Done()
			}
			return n, nil
		})
		for v := range seq {
			if v == 10 {
				break
			}
		}
		require.Zero(t, running.Load())
		require.LessOrEqual(t, read.Load(), int64(10+2*2+1), "runs ahead by twice MaxWorkers at most")
		func() { // a panic in the loop waits as well
			defer func() { require.Equal(t, "loop", recover()) }()
			for range seq {
				panic("loop")
			}
		}()
		require.Zero(t, running.Load())
		closeAndCheck(t, p)
	})
}

// So it does in a task that may not wait for its pool.
func TestMapWhereNothingMayWait(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size, MaxNested: -1})
		gate, open := newGate(t)
		started, left := make(chan struct{}), make(chan struct{})
		go func() {
			<-left
			for range 100 {
				runtime.Gosched()
			}
			open()
		}()
		one := func(yield func(int) bool) {
			if yield(1) {
				<-started
			}
		}
		ended := false
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
			for _, err := range workerpool.Map(ctx, p, one, func(ctx context.Context, _ int) (int, error) {
				close(started)
				<-ctx.Done()
				<-gate
				ended = true
				return 0, nil
			}) {
				require.ErrorIs(t, err, workerpool.ErrNested)
				close(left)
				break
			}
			require.True(t, ended, "it goes on after the loop")
			return nil
		}}))
		closeAndCheck(t, p)
	})
}

func TestMapContextAndClose(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 2})
	ctx, cancel := context.WithCancel(bg)
	n := 0
	for _, err := range workerpool.Map(ctx, p, count(50), func(ctx context.Context, n int) (int, error) {
		if n == 5 {
			cancel()
		}
		return n, nil
	}) {
		if n > 5+4 {
			require.ErrorIs(t, err, context.Canceled)
		}
		n++
	}
	require.Equal(t, 50, n)
	n = 0
	for _, err := range workerpool.Map(bg, p, count(50), func(context.Context, int) (int, error) { return 0, nil }) {
		if n == 10 {
			require.NoError(t, p.Close())
		}
		if n > 10+4 {
			require.ErrorIs(t, err, workerpool.ErrClosed)
		}
		n++
	}
	require.Equal(t, 50, n)
	closeAndCheck(t, p)
}

func TestMapOfNil(t *testing.T) {
	p, err := workerpool.New(workerpool.Config{})
	require.NoError(t, err)
	n := 0
	for _, err := range workerpool.Map[int, int](bg, p, count(3), nil) {
		require.ErrorIs(t, err, workerpool.ErrNilTask)
		n++
	}
	require.Equal(t, 3, n)
	closeAndCheck(t, p)
}
