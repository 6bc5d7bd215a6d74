package workerpool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestFutureUnderAGoexit(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		for range 50 {
			_, err := workerpool.Go(bg, p, func(context.Context) (int, error) { runtime.Goexit(); return 1, nil }).Wait(bg)
			require.ErrorIs(t, err, workerpool.ErrGoexit)
		}
		require.EqualValues(t, 50, closeAndCheck(t, p).Goexits)
	})
}

func TestFutureCancel(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		started := make(chan struct{})
		fut := workerpool.Go(bg, p, func(ctx context.Context) (int, error) {
			close(started)
			<-ctx.Done()
			return 3, context.Cause(ctx)
		})
		<-started
		if size != workerpool.NoQueue {
			queued := workerpool.Go(bg, p, func(context.Context) (int, error) { t.Error("ran"); return 0, nil })
			queued.Cancel()
			_, err := queued.Wait(bg)
			require.ErrorIs(t, err, context.Canceled)
		}
		done, cancel := context.WithCancel(bg)
		cancel()
		_, err := fut.Wait(done)
		require.ErrorIs(t, err, context.Canceled, "of the wait; the task goes on")
		fut.Cancel()
		v, err := fut.Wait(bg)
		require.Equal(t, 3, v)
		require.ErrorIs(t, err, context.Canceled)
		fut.Cancel()
		v, _ = fut.Wait(done)
		require.Equal(t, 3, v, "a result that is there wins")
		closeAndCheck(t, p)
	})
}

// Cancel, start, Done, Wait and Close in any order: each future resolves, once.
func TestFutureRaces(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for range scaled(60) {
			p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					for j := range 20 {
						ctx, cancel := context.WithCancel(bg)
						fut := workerpool.Go(ctx, p, func(context.Context) (int, error) { return 5, nil })
						switch (i + j) % 3 {
						case 0:
							go cancel()
						case 1:
							go fut.Cancel()
						}
						if j%2 == 0 {
							<-fut.Done()
						}
						v, err := fut.Wait(bg)
						if err == nil && v != 5 || err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, workerpool.ErrClosed) {
							t.Error(v, err)
						}
						select {
						case <-fut.Done():
						default:
							t.Error("not done")
						}
						cancel()
					}
				})
			}
			all.Go(func() { runtime.Gosched(); _ = p.Close() })
			all.Wait()
			closeAndCheck(t, p)
		}
	})
}

func TestFutureOfNil(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{})
	_, err := workerpool.Go[int](bg, p, nil).Wait(bg)
	require.ErrorIs(t, err, workerpool.ErrNilTask)
	fut := workerpool.Go[int](bg, p, nil)
	<-fut.Done()
	fut.Cancel()
	closeAndCheck(t, p)
}
