package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestCallerGivesEachItsOwnAnswer(t *testing.T) {
	odd := errors.New("odd")
	k, err := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 16, Workers: 2}, func(_ context.Context, reqs []int, res []batchchan.Result[string]) error {
		for i, r := range reqs {
			if r%2 == 1 {
				res[i].Err = odd
			} else {
				res[i].Value = fmt.Sprint(r)
			}
		}
		return nil
	})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := g; i < 3200; i += 16 {
				v, err := k.Do(bg, i)
				if i%2 == 1 {
					require.ErrorIs(t, err, odd)
				} else {
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint(i), v)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, k.Close())
	_, err = k.Do(bg, 1)
	require.ErrorIs(t, err, batchchan.ErrClosed)
	s := k.Stats()
	checkQuiet(t, s.Stats)
	require.EqualValues(t, 3200, s.Succeeded)
	<-k.Done()
	_, err = batchchan.NewCaller[int, int](batchchan.Config[int]{}, nil)
	require.Error(t, err)
	_, err = batchchan.NewCaller(batchchan.Config[int]{MaxBatch: -1}, func(context.Context, []int, []batchchan.Result[int]) error { return nil })
	require.ErrorContains(t, err, "MaxBatch")
}

func TestCallerErrorsPanicsAndGoexitReachEveryCallerOfTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		var hook []int
		attempts := 0
		k, err := batchchan.NewCaller(batchchan.Config[int]{
			MaxBatch: 3, Linger: time.Second, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: time.Second, NoJitter: true},
			OnError: func(_ context.Context, _ error, reqs []int) { hook = append(hook, reqs...) },
		}, func(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
			attempts++
			switch reqs[0] / 10 {
			case 0:
				return down
			case 1:
				panic("at the disco")
			case 2:
				runtime.Goexit()
			}
			for i := range res {
				require.Zero(t, res[i], "results are zero at first")
				res[i].Value = -reqs[i]
			}
			return nil
		})
		require.NoError(t, err)
		for c := range 4 {
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					v, err := k.Do(bg, 10*c+i)
					var p *batchchan.PanicError
					switch c {
					case 0:
						require.ErrorIs(t, err, down)
					case 1:
						require.ErrorAs(t, err, &p)
						require.Contains(t, string(p.Stack), "caller_test.go")
					case 2:
						require.ErrorIs(t, err, batchchan.ErrGoexit)
					default:
						require.NoError(t, err)
						require.Equal(t, -(10*c + i), v)
					}
				})
			}
			wg.Wait()
		}
		require.NoError(t, k.Close())
		require.Len(t, hook, 9)
		require.Equal(t, 5, attempts, "the error was tried twice")
	})
}

func TestCallerCancelledRequestsDoNotReachTheBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var seen []int
		k, err := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 10, MaxBytes: 1000, SizeOf: func(int) int { return 1 }}, func(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
			seen = append(seen, reqs...)
			<-gate
			return nil
		})
		require.NoError(t, err)
		go k.Do(bg, 0)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		go func() {
			_, err := k.Do(ctx, 1)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}()
		go func() {
			_, err := k.DoTimeout(3, time.Second)
			require.ErrorIs(t, err, batchchan.ErrTimeout)
		}()
		go k.Do(bg, 2)
		time.Sleep(2 * time.Second)
		close(gate)
		require.NoError(t, k.Close())
		require.Equal(t, []int{0, 2}, seen)
		_, err = k.Do(ctx, 9)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestCallerDropAndShutdownAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped []int
		k, err := batchchan.NewCaller(batchchan.Config[int]{
			MaxBatch: 1, MaxPending: 1, Overflow: batchchan.DropOldest, DetachBatches: true,
			OnDrop: func(r int, _ batchchan.DropReason) { dropped = append(dropped, r) },
		}, func(ctx context.Context, reqs []int, res []batchchan.Result[int]) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		errs := make([]error, 3)
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { _, errs[i] = k.Do(bg, i) })
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		require.ErrorContains(t, k.Shutdown(ctx), "1 items undelivered, 1 in the processor")
		wg.Wait()
		require.ErrorIs(t, errs[0], context.Canceled)
		require.ErrorIs(t, errs[1], batchchan.ErrDropped)
		require.ErrorIs(t, errs[2], batchchan.ErrClosed)
		require.Equal(t, []int{1}, dropped)
	})
}
