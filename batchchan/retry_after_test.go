package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// throttled is an error of a user's own that says when to come again.
type throttled struct{ after func() time.Duration }

func (e throttled) Error() string             { return "throttled" }
func (e throttled) RetryAfter() time.Duration { return e.after() }

func TestRetryAfterIsTheErrorItWraps(t *testing.T) {
	require.NoError(t, batchchan.RetryAfter(nil, time.Second))
	err := batchchan.RetryAfter(errBad, time.Second)
	require.ErrorIs(t, err, errBad)
	require.EqualError(t, err, errBad.Error())
	var asks interface{ RetryAfter() time.Duration }
	require.ErrorAs(t, fmt.Errorf("export: %w", err), &asks)
	require.Equal(t, time.Second, asks.RetryAfter())
}

// What the first attempt returns, and when the second one comes. The back-off is 1 s,
// and 60 s at most.
func TestRetryAfter(t *testing.T) {
	after := func(d time.Duration) error { return batchchan.RetryAfter(errBad, d) }
	items := func(mark func(e *batchchan.ItemErrors)) error {
		var e batchchan.ItemErrors
		mark(&e)
		return e.Err()
	}
	for _, tt := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"nothing asked", errBad, time.Second},
		{"longer", after(7 * time.Second), 7 * time.Second},
		{"shorter than the back-off", after(time.Millisecond), time.Second},
		{"0", after(0), time.Second},
		{"negative", after(math.MinInt64), time.Second},
		{"as long as can be", after(math.MaxInt64), time.Minute},
		{"wrapped", fmt.Errorf("export: %w", after(7*time.Second)), 7 * time.Second},
		{"the outer one counts", batchchan.RetryAfter(after(9*time.Second), 7*time.Second), 7 * time.Second},
		{"joined: the longest", errors.Join(after(7*time.Second), errBad, after(8*time.Second)), 8 * time.Second},
		{"a type of the user's", throttled{func() time.Duration { return 7 * time.Second }}, 7 * time.Second},
		{"that panics", throttled{func() time.Duration { panic("in RetryAfter") }}, time.Second},
		{"that ends its goroutine", throttled{func() time.Duration { runtime.Goexit(); return 0 }}, time.Second},
		{"of items: the longest", items(func(e *batchchan.ItemErrors) {
			e.Retry(0, after(7*time.Second))
			e.Retry(1, after(8*time.Second))
			e.Retry(2, errBad)
		}), 8 * time.Second},
		{"of an item that failed for good", items(func(e *batchchan.ItemErrors) {
			e.Fail(0, after(7*time.Second))
			e.Retry(1, errBad)
		}), time.Second},
		{"around items", batchchan.RetryAfter(items(func(e *batchchan.ItemErrors) {
			e.Fail(0, errBad)
			e.Retry(1, errBad)
		}), 7*time.Second), 7 * time.Second},
	} {
		for _, aside := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s/aside=%d", tt.name, aside), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					retry := batchchan.Retry{MaxAttempts: 2, Backoff: time.Second, MaxBackoff: time.Minute, NoJitter: true, MaxAside: aside}
					var calls []time.Time
					answer := func() error {
						if calls = append(calls, time.Now()); len(calls) == 1 {
							return tt.err
						}
						return nil
					}
					check := func(b interface{ Close() error }) {
						b.Close() // for good failed items: reported elsewhere
						require.Len(t, calls, 2)
						require.Equal(t, tt.want, calls[1].Sub(calls[0]))
						calls = nil
					}
					cfg := batchchan.Config[int]{MaxBatch: 3, Linger: -1, Retry: retry}
					b, err := batchchan.New(cfg, func(context.Context, []int) error { return answer() })
					require.NoError(t, err)
					b.SendMany(bg, []int{1, 2, 3})
					check(b)

					k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(int) int { return 0 },
						func(context.Context, int, []int) error { return answer() })
					require.NoError(t, err)
					k.SendMany(bg, []int{1, 2, 3})
					check(k)

					c, err := batchchan.NewCaller(cfg, func(context.Context, []int, []batchchan.Result[int]) error { return answer() })
					require.NoError(t, err)
					for i := range 3 {
						go c.Do(bg, i)
					}
					synctest.Wait()
					check(c)
				})
			})
		}
	}
}

// An error that asks for a wait is no promise of an attempt, and a wait no reason not to
// end.
func TestRetryAfterWithoutAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for _, retry := range []batchchan.Retry{
			{},
			{MaxAttempts: 3, Retryable: func(error) bool { return false }},
		} {
			b, err := batchchan.New(batchchan.Config[int]{Retry: retry}, func(context.Context, []int) error {
				return batchchan.RetryAfter(errBad, time.Hour)
			})
			require.NoError(t, err)
			require.NoError(t, b.Send(bg, 1))
			require.ErrorIs(t, b.Close(), errBad)
		}
		require.Zero(t, time.Since(start))

		for _, aside := range []int{0, 1} { // a Flush, and a Shutdown that gives up, end the wait
			start = time.Now()
			var calls atomic.Int32
			b, err := batchchan.New(batchchan.Config[int]{Retry: batchchan.Retry{MaxAttempts: 3, MaxBackoff: 2 * time.Hour, MaxAside: aside}},
				func(context.Context, []int) error {
					calls.Add(1)
					return batchchan.RetryAfter(errBad, time.Hour)
				})
			require.NoError(t, err)
			require.NoError(t, b.Send(bg, 1))
			synctest.Wait()
			ctx, cancel := context.WithTimeout(bg, time.Second)
			require.ErrorIs(t, b.Flush(ctx), context.DeadlineExceeded)
			cancel()
			synctest.Wait()
			require.EqualValues(t, 2, calls.Load(), "again at once, by the Flush")
			ctx, cancel = context.WithCancel(bg)
			cancel()
			_, err = b.Shutdown(ctx)
			require.ErrorIs(t, err, context.Canceled)
			<-b.Done()
			require.Equal(t, time.Second, time.Since(start))
			require.EqualValues(t, 2, calls.Load())
			require.EqualValues(t, 1, b.Stats().Failed)
		}
	})
}
