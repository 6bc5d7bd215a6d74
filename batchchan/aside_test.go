package batchchan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLater(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l later[int]
	var model []laterItem[int]
	_, ok := l.next()
	require.False(t, ok)
	sorted := func(a, b laterItem[int]) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return int(a.nth) - int(b.nth)
	}
	for i := range 20_000 {
		switch rng.IntN(20) {
		case 0:
			slices.SortFunc(model, sorted)
			l.hurry()
			for i := range model {
				model[i].at, model[i].nth = 0, uint64(i)
			}
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			at := time.Duration(rng.IntN(50))
			l.add(at, i)
			model = append(model, laterItem[int]{at, l.n, i})
		default:
			now := time.Duration(rng.IntN(50))
			slices.SortFunc(model, sorted)
			v, ok := l.take(now)
			want := len(model) > 0 && model[0].at <= now
			require.Equal(t, want, ok)
			if want {
				require.Equal(t, model[0].what, v)
				model = model[1:]
			}
		}
		require.Equal(t, len(model), len(l.heap))
	}
}

// One poison batch does not delay the next by its back-off.
func TestAsideHoldsNoWorker(t *testing.T) {
	for _, policy := range []Overflow{Block, DropOldest, CallerRuns} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			at := map[int][]time.Duration{}
			b := must[int](t)(New(Config[int]{
				MaxBatch: 1, Overflow: policy, Retry: Retry{MaxAttempts: 3, Backoff: time.Second, NoJitter: true, MaxAside: 2},
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
			b.g.validate(t, 0)
		})
	}
}

func TestShutdownFailsWhatIsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad")
		b := must[int](t)(New(Config[int]{MaxBatch: 1, Retry: Retry{MaxAttempts: 3, Backoff: time.Hour, MaxAside: 9}}, func(context.Context, []int) error { return bad }))
		for i := range 5 {
			require.NoError(t, b.Send(bg, i))
		}
		synctest.Wait()
		require.Equal(t, 5, b.Stats().Aside)
		b.g.validate(t, 5)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		rest, err := b.Shutdown(ctx)
		require.Empty(t, rest)
		require.ErrorContains(t, err, "0 items undelivered, 5 in the processor")
		<-b.Done()
		err = b.Close()
		requireFailed(t, 5, err)
		require.ErrorIs(t, err, bad, "it fails with what it failed with")
		b.g.validate(t, 0)
	})
}

// A key's order holds while a batch of it is aside, and other keys go on.
func TestKeyedAsideKeepsAKeysOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		start := time.Now()
		fails := 2
		k, err := NewKeyed(KeyedConfig[int]{Config: Config[int]{
			MaxBatch: 1, Retry: Retry{MaxAttempts: 5, Backoff: time.Second, NoJitter: true, MaxAside: 1},
		}}, func(i int) int { return i / 10 }, func(_ context.Context, key int, items []int) error {
			if items[0] == 10 && fails > 0 {
				fails--
				return errors.New("not yet")
			}
			got = append(got, fmt.Sprint(items[0], " ", time.Since(start)))
			return nil
		})
		require.NoError(t, err)
		_, err = k.k.sendMany(bg, []int{10, 11, 20, 12, 21})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, k.Stats().Aside)
		k.k.validate(t, 1)
		require.NoError(t, k.Close())
		require.Equal(t, []string{"20 0s", "21 0s", "10 3s", "11 3s", "12 3s"}, got)
		k.k.validate(t, 0)
	})
}

// A batch whose time comes while every worker is busy waits for one without keeping
// the timer busy.
func TestKeyedAsideDueWhileWorkersAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		k, err := NewKeyed(KeyedConfig[int]{Config: Config[int]{
			MaxBatch: 1, Retry: Retry{MaxAttempts: 2, Backoff: time.Second, NoJitter: true, MaxAside: 2},
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
	cfg := Config[int]{
		MaxBatch: 2, Retry: Retry{MaxAttempts: 4, Backoff: time.Second, NoJitter: true, MaxAside: 2, Retryable: func(error) bool { return true }},
		OnError: func(_ context.Context, err error, items []int) { t.Errorf("%v was given up: %v", items, err) },
	}
	for name, run := range map[string]func(process func(items []int) error) Stats{
		"Batcher": func(process func(items []int) error) Stats {
			b := must[int](t)(New(cfg, func(_ context.Context, items []int) error { return process(items) }))
			_, err := b.SendMany(bg, []int{1, 2})
			require.NoError(t, err)
			require.NoError(t, b.Flush(bg))
			require.NoError(t, b.Close())
			return b.Stats()
		},
		"Keyed": func(process func(items []int) error) Stats {
			k := Must(NewKeyed(KeyedConfig[int]{Config: cfg}, func(int) int { return 0 }, func(_ context.Context, _ int, items []int) error { return process(items) }))
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

// A batch that is about to go aside when Shutdown gives up does not wait any more: it
// fails.
func TestAsideWhenShutdownGivesUp(t *testing.T) {
	cfg := Config[int]{Retry: Retry{MaxAttempts: 2, Backoff: time.Hour, MaxAside: 1}}
	for name, open := range map[string]func(process func() error) (x *executor[int], mu *spinLock, send func(context.Context, int) error, end func() error){
		"Batcher": func(process func() error) (*executor[int], *spinLock, func(context.Context, int) error, func() error) {
			b := must[int](t)(New(cfg, func(context.Context, []int) error { return process() }))
			return &b.g.executor, &b.g.mu, b.Send, b.Close
		},
		"Keyed": func(process func() error) (*executor[int], *spinLock, func(context.Context, int) error, func() error) {
			k := Must(NewKeyed(KeyedConfig[int]{Config: cfg}, func(v int) int { return v }, func(context.Context, int, []int) error { return process() }))
			return &k.k.executor, &k.k.mu, k.Send, k.Close
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				x, mu, send, end := open(func() error { <-gate; return errEnd })
				require.NoError(t, send(bg, 1))
				synctest.Wait()
				mu.lock()
				close(gate)
				for x.aside.n.Load() == 0 { // the batch has its place, and the worker wants the lock
					runtime.Gosched()
				}
				x.cancel()
				mu.unlock()
				start := time.Now()
				requireFailed(t, 1, end())
				require.Zero(t, time.Since(start))
			})
		})
	}
}

// Items of which each has an error of its own keep it when Shutdown ends their wait.
func TestShutdownFailsEachItemWithItsOwnError(t *testing.T) {
	for _, aside := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			b := must[int](t)(New(Config[int]{
				MaxBatch: 3, Linger: -1, Retry: Retry{MaxAttempts: 2, Backoff: time.Hour, MaxAside: aside},
				OnError: func(_ context.Context, err error, items []int) { got = append(got, fmt.Sprint(items, err)) },
			}, func(_ context.Context, items []int) error {
				var e ItemErrors
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
			b.g.validate(t, 0)
		})
	}
}

// Shutdown ends a Split: no half is tried after it gave up.
func TestShutdownEndsASplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var failed []int
		b := must[int](t)(New(Config[int]{
			MaxBatch: 8, Linger: -1, Retry: Retry{Split: true},
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
		b.g.validate(t, 0)
	})
}
