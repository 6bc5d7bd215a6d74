package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestFailuresAreReportedOnceByWhatComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		first := errors.New("first")
		b, err := batchchan.New(batchchan.Config[int]{MaxBatch: 1}, func(ctx context.Context, items []int) error {
			switch n++; {
			case n == 1:
				return first
			case items[0] == 9:
				<-ctx.Done()
			}
			return errBad
		})
		require.NoError(t, err)
		var e *batchchan.FailedError
		for i := range 3 {
			require.NoError(t, b.Send(bg, i))
		}
		err = b.Flush(bg)
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, first)
		require.Equal(t, 3, e.Items)
		require.Contains(t, err.Error(), "3 items")
		require.NoError(t, b.Flush(bg))

		// A Flush that leaves early takes no report with it.
		require.NoError(t, b.Send(bg, 4))
		require.NoError(t, b.Send(bg, 9))
		require.NoError(t, b.Send(bg, 5))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		require.ErrorIs(t, b.Flush(ctx), context.DeadlineExceeded)
		ctx, cancel = context.WithTimeout(bg, time.Second)
		defer cancel()
		rest, err := b.Shutdown(ctx)
		require.Equal(t, []int{5}, rest)
		var s *batchchan.ShutdownError
		require.ErrorAs(t, err, &s)
		require.Equal(t, 1, s.Undelivered)
		require.Equal(t, 1, s.Running)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorAs(t, err, &e)
		require.Equal(t, 1, e.Items)
		<-b.Done()
		require.ErrorAs(t, b.Close(), &e, "what failed after Shutdown gave up")
		require.Equal(t, 1, e.Items)
		require.NoError(t, b.Close())
	})
}

func TestOnErrorMaySendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *batchchan.Batcher[int]
		var again []error
		b, err := batchchan.New(batchchan.Config[int]{
			MaxBatch: 2, MaxPending: 2, Linger: -1,
			OnError: func(ctx context.Context, err error, items []int) {
				for _, v := range items {
					again = append(again, b.Send(ctx, v+10))
				}
				again = append(again, b.Send(ctx, 99), b.Flush(ctx))
			},
		}, func(_ context.Context, items []int) error {
			if items[0] < 10 {
				return errBad
			}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, b.Send(bg, 1))
		require.NoError(t, b.Send(bg, 2))
		synctest.Wait()
		require.Equal(t, []error{nil, nil, batchchan.ErrFull, batchchan.ErrInside}, again, "no room, and no wait for itself")
		require.Error(t, b.Close())
		s := b.Stats()
		require.EqualValues(t, 2, s.Failed)
		require.EqualValues(t, 2, s.Succeeded)
	})
}

func TestFlushHurriesABackOff(t *testing.T) {
	type flusher struct {
		send  func(context.Context, int) error
		flush func(context.Context) error
		close func() error
		aside func() int
	}
	for name, open := range map[string]func(cfg batchchan.Config[int], process func() error) flusher{
		"Batcher": func(cfg batchchan.Config[int], process func() error) flusher {
			b := batchchan.Must(batchchan.New(cfg, func(context.Context, []int) error { return process() }))
			return flusher{b.Send, b.Flush, b.Close, func() int { return b.Stats().Aside }}
		},
		"Keyed": func(cfg batchchan.Config[int], process func() error) flusher {
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(v int) int { return v }, func(context.Context, int, []int) error { return process() }))
			return flusher{k.Send, k.Flush, k.Close, func() int { return k.Stats().Aside }}
		},
	} {
		for _, aside := range []int{0, 1} {
			t.Run(fmt.Sprint(name, "/", aside), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					b := open(batchchan.Config[int]{Retry: batchchan.Retry{MaxAttempts: 3, Backoff: time.Hour, MaxBackoff: 2 * time.Hour, NoJitter: true, MaxAside: aside}},
						func() error {
							if calls++; calls < 3 {
								return errBad
							}
							return nil
						})
					start := time.Now()
					require.NoError(t, b.send(bg, 1))
					time.Sleep(time.Minute)
					require.Equal(t, aside, b.aside())
					ctx, cancel := context.WithTimeout(bg, time.Minute)
					defer cancel()
					require.ErrorIs(t, b.flush(ctx), context.DeadlineExceeded)
					synctest.Wait()
					require.Equal(t, 2, calls, "the wait that was under way, not the next one")
					require.NoError(t, b.flush(bg))
					require.Equal(t, 3, calls)
					require.Equal(t, 2*time.Minute, time.Since(start))
					require.NoError(t, b.close())
				})
			})
		}
	}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		lim := &ticks{every: time.Second}
		b, err := batchchan.New(batchchan.Config[int]{MaxBatch: 1, RateLimit: lim, Timeout: time.Millisecond, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: 1}},
			func(ctx context.Context, items []int) error {
				require.NoError(t, ctx.Err(), "the wait is not in Timeout")
				at = append(at, time.Since(start).Round(time.Millisecond))
				if len(at) == 1 {
					return errBad
				}
				return nil
			})
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, b.Send(bg, i))
		}
		require.NoError(t, b.Flush(bg))
		require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}, at)
		lim.every = 365 * 24 * time.Hour
		require.NoError(t, b.Send(bg, 3))
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		_, err = b.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		<-b.Done()
		require.ErrorIs(t, b.Close(), context.Canceled, "a limiter's error is the batch's")
		require.Len(t, at, 4)
	})
}

// ticks is a Limiter.
type ticks struct{ every time.Duration }

func (l *ticks) Wait(ctx context.Context) error {
	select {
	case <-time.After(l.every):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestErrTimeoutIsADeadlineExceeded(t *testing.T) {
	require.ErrorIs(t, batchchan.ErrTimeout, context.DeadlineExceeded)
	require.NotErrorIs(t, batchchan.ErrTimeout, context.Canceled)
	require.ErrorIs(t, fmt.Errorf("send: %w", batchchan.ErrTimeout), batchchan.ErrTimeout)
	var n interface{ Timeout() bool }
	require.ErrorAs(t, batchchan.ErrTimeout, &n)
	require.True(t, n.Timeout())
	require.Equal(t, "batchchan: timeout", batchchan.ErrTimeout.Error())
}
