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

// A batch that is about to go aside when Shutdown gives up does not wait any more: it
// fails.
func TestAsideWhenShutdownGivesUp(t *testing.T) {
	cfg := Config[int]{Retry: Retry{MaxAttempts: 2, Backoff: time.Hour, MaxAside: 1}}
	for name, open := range map[string]func(process func() error) (x *executor[int], mu *spinLock, send func(context.Context, int) error, end func() error){
		"Batcher": func(process func() error) (*executor[int], *spinLock, func(context.Context, int) error, func() error) {
			b := Must(New(cfg, func(context.Context, []int) error { return process() }))
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
				x, mu, send, end := open(func() error { <-gate; return errors.New("end") })
				require.NoError(t, send(context.Background(), 1))
				synctest.Wait()
				mu.lock()
				close(gate)
				for x.aside.n.Load() == 0 { // the batch has its place, and the worker wants the lock
					runtime.Gosched()
				}
				x.cancel()
				mu.unlock()
				start := time.Now()
				var failed *FailedError
				require.ErrorAs(t, end(), &failed)
				require.Equal(t, 1, failed.Items)
				require.Zero(t, time.Since(start))
			})
		})
	}
}

// A taker that was woken for a ready batch may find that a batch that was aside is due, and
// takes that one first. It must have another taker woken for the ready one.
func TestWhoTakesARetryWakesAnotherForWhatIsReady(t *testing.T) {
	cfg := Config[int]{MaxBatch: 2, Workers: 2, Retry: Retry{MaxAttempts: 2, MaxAside: 1}}
	require.NoError(t, cfg.check())
	for _, ready := range []bool{false, true} {
		want := 0
		if ready {
			want = 1
		}
		t.Run(fmt.Sprint("core/", ready), func(t *testing.T) {
			var c core[int]
			c.init(&cfg, true)
			var e effects[int]
			c.later.add(0, new(batch[int]))
			if ready {
				c.addMany([]int{1, 2}, 0, &e)
				require.Equal(t, 1, e.spawn, "a worker for the full batch")
			}
			e = effects[int]{}
			require.NotNil(t, c.takeRetry(1, &e))
			require.Equal(t, want, e.spawn)
		})
		t.Run(fmt.Sprint("keyedCore/", ready), func(t *testing.T) {
			var c keyedCore[int, int]
			c.init(&cfg, 0, 0)
			var e effects[keyedItem[int, int]]
			c.later.add(0, new(keyWork[int, int]))
			if ready {
				for range 2 {
					ok, err := c.trySend(7, 1, 0, &e)
					require.True(t, ok)
					require.NoError(t, err)
				}
				require.Equal(t, 1, e.spawn, "a worker for the full batch")
			}
			e = effects[keyedItem[int, int]]{}
			require.NotNil(t, c.takeRetry(1, &e))
			require.Equal(t, want, e.spawn)
		})
	}
}
