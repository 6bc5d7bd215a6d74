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

// One poison batch does not delay the next by its back-off.
func TestAsideHoldsNoWorker(t *testing.T) {
	for _, policy := range []batchchan.Overflow{batchchan.Block, batchchan.DropOldest, batchchan.CallerRuns} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			at := map[int][]time.Duration{}
			b := must[int](t)(batchchan.New(batchchan.Config[int]{
				MaxBatch: 1, Overflow: policy, Retry: batchchan.Retry{MaxAttempts: 3, Backoff: time.Second, NoJitter: true, MaxAside: 2},
			}, func(_ context.Context, items []int) error {
				at[items[0]] = append(at[items[0]], time.Since(start))
				if items[0] < 0 {
					return errors.New("poison")
				}
				return nil
			}))
			require.NoError(t, b.Send(bg, -1))
			require.NoError(t, b.Send(bg, 1))
			synctest.Wait()
			s := b.Stats()
			require.Equal(t, 1, s.Aside)
			require.Equal(t, 1, s.InFlight)
			require.EqualValues(t, 1, s.Succeeded)
			require.NoError(t, b.Send(bg, -2))
			require.NoError(t, b.Send(bg, 2))
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second}, at[-1])
			require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second}, at[-2])
			require.Equal(t, []time.Duration{0}, at[1])
			require.Equal(t, []time.Duration{0}, at[2])
			start = time.Now()
			for i := range 3 { // one more than may be aside: it holds the worker
				require.NoError(t, b.Send(bg, -3-i))
			}
			require.NoError(t, b.Send(bg, 3))
			synctest.Wait()
			require.Equal(t, 2, b.Stats().Aside)
			requireFailed(t, 5, b.Close())
			require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second}, at[-5])
			require.Positive(t, at[3][0])
			b.Validate(t, 0)
		})
	}
}

func TestShutdownFailsWhatIsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad")
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, Retry: batchchan.Retry{MaxAttempts: 3, Backoff: time.Hour, MaxAside: 9}}, func(context.Context, []int) error { return bad }))
		for i := range 5 {
			require.NoError(t, b.Send(bg, i))
		}
		synctest.Wait()
		require.Equal(t, 5, b.Stats().Aside)
		b.Validate(t, 5)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		rest, err := b.Shutdown(ctx)
		require.Empty(t, rest)
		require.ErrorContains(t, err, "0 items undelivered, 5 in the processor")
		<-b.Done()
		err = b.Close()
		requireFailed(t, 5, err)
		require.ErrorIs(t, err, bad, "it fails with what it failed with")
		b.Validate(t, 0)
	})
}

// A key's order holds while a batch of it is aside, and other keys go on.
func TestKeyedAsideKeepsAKeysOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		start := time.Now()
		fails := 2
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{
			MaxBatch: 1, Retry: batchchan.Retry{MaxAttempts: 5, Backoff: time.Second, NoJitter: true, MaxAside: 1},
		}}, func(i int) int { return i / 10 }, func(_ context.Context, key int, items []int) error {
			if items[0] == 10 && fails > 0 {
				fails--
				return errors.New("not yet")
			}
			got = append(got, fmt.Sprint(items[0], " ", time.Since(start)))
			return nil
		})
		require.NoError(t, err)
		_, err = k.SendMany(bg, []int{10, 11, 20, 12, 21})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, k.Stats().Aside)
		k.Validate(t, 1)
		require.NoError(t, k.Close())
		require.Equal(t, []string{"20 0s", "21 0s", "10 3s", "11 3s", "12 3s"}, got)
		k.Validate(t, 0)
	})
}

// A batch whose time comes while every worker is busy waits for one without keeping
// the timer busy.
func TestKeyedAsideDueWhileWorkersAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{
			MaxBatch: 1, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: time.Second, NoJitter: true, MaxAside: 2},
		}}, func(i int) int { return i }, func(_ context.Context, key int, _ []int) error {
			switch at = append(at, time.Since(start)); {
			case key == 3:
				time.Sleep(time.Hour)
			case len(at) < 3:
				return errors.New("again")
			}
			return nil
		})
		require.NoError(t, err)
		_, err = k.SendMany(bg, []int{1, 2, 3})
		require.NoError(t, err)
		time.Sleep(time.Minute) // returns only if nothing spins at the first second
		require.Equal(t, 2, k.Stats().Aside)
		require.NoError(t, k.Close())
		require.Equal(t, []time.Duration{0, 0, 0, time.Hour, time.Hour}, at)
	})
}

// A panic that was contained is a failed attempt like any other: what waits aside after
// it is tried again, and is not given up.
func TestAsideAfterPanics(t *testing.T) {
	cfg := batchchan.Config[int]{
		MaxBatch: 2, Retry: batchchan.Retry{MaxAttempts: 4, Backoff: time.Second, NoJitter: true, MaxAside: 2, Retryable: func(error) bool { return true }},
		OnError: func(_ context.Context, err error, items []int) { t.Errorf("%v was given up: %v", items, err) },
	}
	for name, run := range map[string]func(process func(items []int) error) batchchan.Stats{
		"Batcher": func(process func(items []int) error) batchchan.Stats {
			b := must[int](t)(batchchan.New(cfg, func(_ context.Context, items []int) error { return process(items) }))
			_, err := b.SendMany(bg, []int{1, 2})
			require.NoError(t, err)
			require.NoError(t, b.Flush(bg))
			require.NoError(t, b.Close())
			return b.Stats()
		},
		"Keyed": func(process func(items []int) error) batchchan.Stats {
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(int) int { return 0 }, func(_ context.Context, _ int, items []int) error { return process(items) }))
			_, err := k.SendMany(bg, []int{1, 2})
			require.NoError(t, err)
			require.NoError(t, k.Flush(bg))
			require.NoError(t, k.Close())
			return k.Stats().Stats
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				s := run(func(items []int) error {
					if calls++; calls < 4 {
						panic("boom")
					}
					return nil
				})
				require.Equal(t, 4, calls)
				require.EqualValues(t, 3, s.Panics)
				require.EqualValues(t, 2, s.Succeeded)
				require.Zero(t, s.Failed)
			})
		})
	}
}

// Items of which each has an error of its own keep it when Shutdown ends their wait.
func TestShutdownFailsEachItemWithItsOwnError(t *testing.T) {
	for _, aside := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			b := must[int](t)(batchchan.New(batchchan.Config[int]{
				MaxBatch: 3, Linger: -1, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: time.Hour, MaxAside: aside},
				OnError: func(_ context.Context, err error, items []int) { got = append(got, fmt.Sprint(items, err)) },
			}, func(_ context.Context, items []int) error {
				var e batchchan.ItemErrors
				e.Retry(0, errors.New("first"))
				e.Retry(2, errors.New("third"))
				return e.Err()
			}))
			_, err := b.SendMany(bg, []int{1, 2, 3})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			_, err = b.Shutdown(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			<-b.Done()
			require.Equal(t, []string{"[1] first", "[3] third"}, got)
			require.EqualValues(t, 1, b.Stats().Succeeded)
			b.Validate(t, 0)
		})
	}
}

// Shutdown ends a Split: no half is tried after it gave up.
func TestShutdownEndsASplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var failed []int
		b := must[int](t)(batchchan.New(batchchan.Config[int]{
			MaxBatch: 8, Linger: -1, Retry: batchchan.Retry{Split: true},
			OnError: func(_ context.Context, err error, items []int) { failed = append(failed, items...) },
		}, func(ctx context.Context, _ []int) error {
			if calls++; calls == 2 { // the first half
				<-ctx.Done()
			}
			return errEnd
		}))
		_, err := b.SendMany(bg, upTo(8))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = b.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		<-b.Done()
		require.Equal(t, 2, calls)
		require.Equal(t, upTo(8), failed)
		b.Validate(t, 0)
	})
}
