package batchchan_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestLoneItemIsDeliveredAtExactlyLinger(t *testing.T) {
	for _, precise := range []bool{false, true} {
		for _, linger := range []time.Duration{100 * time.Microsecond, 5 * time.Millisecond, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Duration
				base := time.Now()
				b := must[int](t)(batchchan.New(batchchan.Config[int]{Linger: linger, PreciseLinger: precise}, func(context.Context, []int) error {
					at = append(at, time.Since(base))
					return nil
				}))
				var want []time.Duration
				for i := range 5 {
					// At odd distances: a timer left over from before must neither
					// cut early nor keep the next from being cut in time.
					time.Sleep(linger * time.Duration(i) / 3)
					require.NoError(t, b.Send(bg, i))
					want = append(want, time.Since(base)+linger)
					time.Sleep(linger + 1)
					synctest.Wait()
				}
				require.Equal(t, want, at)
				require.EqualValues(t, 5, b.Stats().FlushedLinger)
				require.InEpsilon(t, linger, b.Stats().Age.P50, 0.04)
				require.NoError(t, b.Close())
			})
		}
	}
}

// Debounce instead of maximal age: as long as items keep coming, nothing is
// flushed (p50 5.8 s was seen).
func TestLingerCountsFromTheFirstItemNotTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		b := must[int](t)(batchchan.New(batchchan.Config[int]{Linger: 100 * time.Millisecond}, func(_ context.Context, items []int) error {
			sizes = append(sizes, len(items))
			return nil
		}))
		for i := range 100 {
			require.NoError(t, b.Send(bg, i))
			time.Sleep(9 * time.Millisecond)
		}
		require.NoError(t, b.Close())
		for _, n := range sizes[:len(sizes)-1] {
			require.Equal(t, 12, n, "0, 9, ... 99 ms: %v", sizes)
		}
		require.LessOrEqual(t, b.Stats().Age.Max, 100*time.Millisecond)
	})
}

// The timer restarts at the flush, not at the first item: then an item that
// comes shortly before the tick is flushed almost alone, and one that comes
// after it waits for longer than Linger.
func TestTimerDoesNotTickOnItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ages []time.Duration
		base := time.Now()
		b := must[time.Duration](t)(batchchan.New(batchchan.Config[time.Duration]{MaxBatch: 10, Linger: 10 * time.Millisecond}, func(_ context.Context, items []time.Duration) error {
			ages = append(ages, time.Since(base)-items[0])
			return nil
		}))
		for range 10 { // a batch cut by size at 9 ms
			require.NoError(t, b.Send(bg, time.Since(base)))
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, b.Send(bg, time.Since(base))) // at 10 ms
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []time.Duration{9 * time.Millisecond, 10 * time.Millisecond}, ages)
		require.NoError(t, b.Close())
	})
}

func TestEveryItemIsAtMostLingerOldWhileAWorkerIsIdle(t *testing.T) {
	for _, useProducers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const linger = 10 * time.Millisecond
			base := time.Now()
			var n atomic.Int64
			b := must[time.Duration](t)(batchchan.New(batchchan.Config[time.Duration]{MaxBatch: 7, Linger: linger, Workers: 2}, func(_ context.Context, items []time.Duration) error {
				for _, at := range items {
					require.LessOrEqual(t, time.Since(base)-at, linger)
					n.Add(1)
				}
				return nil
			}))
			for g := range 3 {
				go func() {
					p := b.Producer()
					for i := range 200 {
						if useProducers {
							require.NoError(t, p.Send(bg, time.Since(base)))
						} else {
							require.NoError(t, b.Send(bg, time.Since(base)))
						}
						time.Sleep(time.Duration(i*i*(g+1)%977) * 10 * time.Microsecond)
					}
				}()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			require.EqualValues(t, 600, n.Load())
			require.NoError(t, b.Close())
		})
	}
}

func TestNoTimerRunsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 2, Linger: time.Second}, func(context.Context, []int) error { return nil }))
		require.False(t, b.Armed())
		require.NoError(t, b.Send(bg, 1))
		synctest.Wait()
		require.True(t, b.Armed())
		require.NoError(t, b.Send(bg, 2)) // cut by size: the timer finds nothing and stays off
		time.Sleep(time.Second)
		synctest.Wait()
		require.False(t, b.Armed())
		require.EqualValues(t, 1, b.Stats().Batches)
		require.NoError(t, b.Close())
	})
}

// ro flushes empty batches while idle.
func TestNoEmptyBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must[int](t)(batchchan.New(batchchan.Config[int]{Linger: time.Millisecond, Workers: 3}, func(_ context.Context, items []int) error {
			require.NotEmpty(t, items)
			return nil
		}))
		for range 10 {
			require.NoError(t, b.Flush(bg))
			require.NoError(t, b.Send(bg, 1))
			time.Sleep(time.Second)
			require.NoError(t, b.Flush(bg))
		}
		require.NoError(t, b.Close())
		require.EqualValues(t, 10, b.Stats().Batches)
	})
}

func TestRetryBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := time.Now()
		var at []time.Duration
		fail := errors.New("unavailable")
		b := must[int](t)(batchchan.New(batchchan.Config[int]{
			Retry: batchchan.Retry{MaxAttempts: 6, Backoff: 100 * time.Millisecond, MaxBackoff: 350 * time.Millisecond, NoJitter: true},
		}, func(context.Context, []int) error {
			if at = append(at, time.Since(base)/time.Millisecond); len(at) < 6 {
				return fail
			}
			return nil
		}))
		require.NoError(t, b.Send(bg, 1))
		require.NoError(t, b.Close())
		require.Equal(t, []time.Duration{0, 100, 300, 650, 1000, 1350}, at)
		s := b.Stats()
		require.EqualValues(t, 5, s.Retried)
		require.EqualValues(t, 1, s.Succeeded)
		require.InEpsilon(t, 1350*time.Millisecond, s.Processing.Max, 0.01)
	})
}

func TestRetryJitterShortensByAtMostHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		last := time.Now()
		b := must[int](t)(batchchan.New(batchchan.Config[int]{
			MaxBatch: 1, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: time.Second},
		}, func(context.Context, []int) error {
			waits = append(waits, time.Since(last))
			last = time.Now()
			return errors.New("no")
		}))
		differ := false
		for i := range 50 {
			require.NoError(t, b.Send(bg, i))
			time.Sleep(time.Minute) // a Flush would hurry it
			requireFailed(t, 1, b.Flush(bg))
			w := waits[len(waits)-1]
			require.True(t, w >= time.Second/2 && w <= time.Second, w)
			differ = differ || w != waits[1]
		}
		require.True(t, differ)
		require.NoError(t, b.Close())
	})
}

func TestRetryableDecidesAndAFailedBatchIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permanent, temporary := errors.New("permanent"), errors.New("temporary")
		calls := map[int]int{}
		failed := map[int]error{}
		b := must[int](t)(batchchan.New(batchchan.Config[int]{
			MaxBatch: 1,
			Retry:    batchchan.Retry{MaxAttempts: 3, Retryable: func(err error) bool { return errors.Is(err, temporary) }},
			OnError:  func(_ context.Context, err error, items []int) { failed[items[0]] = err },
		}, func(_ context.Context, items []int) error {
			calls[items[0]]++
			if items[0] == 0 {
				return permanent
			}
			return temporary
		}))
		require.NoError(t, b.Send(bg, 0))
		require.NoError(t, b.Send(bg, 1))
		requireFailed(t, 2, b.Close())
		require.Equal(t, map[int]int{0: 1, 1: 3}, calls)
		require.Equal(t, map[int]error{0: permanent, 1: temporary}, failed)
		require.EqualValues(t, 2, b.Stats().Failed)
	})
}

func TestTimeoutIsPerCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed error
		b := must[int](t)(batchchan.New(batchchan.Config[int]{
			Timeout: time.Second, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: 10 * time.Second, NoJitter: true},
			OnError: func(_ context.Context, err error, _ []int) { failed = err },
		}, func(ctx context.Context, _ []int) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		start := time.Now()
		require.NoError(t, b.Send(bg, 1))
		requireFailed(t, 1, b.Close())
		require.ErrorIs(t, failed, context.DeadlineExceeded)
		require.Equal(t, 12*time.Second, time.Since(start))
	})
}

func TestShutdownHandsBackWhatNeverReachedTheProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 2, Linger: -1}, h.process))
		for i := range 7 {
			require.NoError(t, b.Send(bg, i))
		}
		p := b.Producer()
		require.NoError(t, p.Send(bg, 7))
		synctest.Wait()
		flushed := make(chan error, 1)
		go func() { flushed <- b.Flush(bg) }()
		ctx, cancel := context.WithTimeoutCause(bg, time.Second, errors.New("no patience"))
		defer cancel()
		undelivered, err := b.Shutdown(ctx)
		require.ErrorContains(t, err, "6 items undelivered, 2 in the processor: no patience")
		require.Equal(t, []int{2, 3, 4, 5, 6, 7}, undelivered)
		require.ErrorIs(t, <-flushed, batchchan.ErrClosed)
		<-b.Done() // the held processor returns on its cancelled context
		require.Equal(t, []int{0, 1}, h.items())
		require.ErrorIs(t, b.Send(bg, 8), batchchan.ErrClosed)
		require.ErrorIs(t, p.Send(bg, 8), batchchan.ErrClosed)
		again, err := b.Shutdown(bg)
		require.NoError(t, err)
		require.Empty(t, again)
		require.NoError(t, b.Close())
		require.ErrorIs(t, b.Flush(bg), batchchan.ErrClosed)
		checkQuiet(t, b.Stats())
		require.EqualValues(t, 6, b.Stats().Undelivered)
	})
}

// collector#14463, #10061, #10166: a shutdown that hangs because a retry goes on
// or nobody lets go of the processor.
func TestShutdownEndsARetryAndDoesNotWaitForADeafProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported []int
		b := must[int](t)(batchchan.New(batchchan.Config[int]{
			Retry:   batchchan.Retry{MaxAttempts: 1000, Backoff: time.Hour},
			OnError: func(_ context.Context, _ error, items []int) { reported = append(reported, items...) },
		}, func(context.Context, []int) error { return errors.New("down") }))
		require.NoError(t, b.Send(bg, 1))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		start := time.Now()
		_, err := b.Shutdown(ctx)
		require.ErrorContains(t, err, "1 in the processor")
		<-b.Done()
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, []int{1}, reported)

		deaf := must[int](t)(batchchan.New(batchchan.Config[int]{}, func(context.Context, []int) error {
			time.Sleep(time.Hour)
			return nil
		}))
		require.NoError(t, deaf.Send(bg, 1))
		synctest.Wait()
		_, err = deaf.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		<-deaf.Done()
		checkQuiet(t, deaf.Stats())
	})
}

func TestRateIsRight(t *testing.T) {
	// Throughput divided by the time since the last operation: 16 million per
	// second for a true 1000.
	synctest.Test(t, func(t *testing.T) {
		b := must[int](t)(batchchan.New(batchchan.Config[int]{}, func(context.Context, []int) error { return nil }))
		before := b.Stats()
		require.Zero(t, before.Rate(before))
		for i := range 5000 {
			require.NoError(t, b.Send(bg, i))
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		require.InDelta(t, 1000, b.Stats().Rate(before), 0.1)
		require.NoError(t, b.Close())
	})
}

func TestPreciseLingerOnARealClock(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const linger = 100 * time.Microsecond
	ages := make(chan time.Duration, 1)
	b := must[time.Time](t)(batchchan.New(batchchan.Config[time.Time]{Linger: linger, PreciseLinger: true}, func(_ context.Context, items []time.Time) error {
		ages <- time.Since(items[0])
		return nil
	}))
	best := time.Hour
	for range 200 {
		require.NoError(t, b.Send(bg, time.Now()))
		age := <-ages
		require.GreaterOrEqual(t, age, linger)
		best = min(best, age)
	}
	require.NoError(t, b.Close())
	require.Less(t, best, 500*time.Microsecond, "an ordinary timer is late by a millisecond")
}
