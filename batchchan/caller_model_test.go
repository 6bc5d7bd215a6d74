package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
)

// Random callers that leave at random: every Do that is not ended by its ctx gets its
// own answer, and at the end nothing is left.
func TestModelCaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		merged := rapid.Bool().Draw(t, "merging")
		base := drawConfig(t)
		cfg := batchchan.CallerConfig[int]{Config: batchchan.Config[int]{
			MaxBatch: base.MaxBatch, MaxPending: base.MaxPending, Workers: base.Workers, Overflow: base.Overflow, Linger: max(base.Linger, 0),
			Retry: batchchan.Retry{MaxAttempts: rapid.IntRange(1, 3).Draw(t, "attempts"), Backoff: time.Microsecond, Split: rapid.Bool().Draw(t, "split"), MaxAside: rapid.IntRange(0, 2).Draw(t, "aside")},
		}}
		if base.SizeOf != nil {
			cfg.SizeOf, cfg.MaxBytes = func(v int) int { return v % 5 }, base.MaxBytes
			cfg.MaxPendingBytes = base.MaxPendingBytes
		}
		if rapid.Bool().Draw(t, "cache") {
			cfg.CacheFor = 10 * time.Microsecond
		}
		var n atomic.Int64
		fn := func(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
			var e batchchan.ItemErrors
			for i, r := range reqs {
				res[i].Value = 2 * r
				switch x := n.Add(1); {
				case x%17 == 0:
					e.Fail(i, errOdd)
				case x%11 == 0:
					e.Retry(i, errOdd)
				case x%41 == 0:
					return errOdd
				case x%97 == 0:
					panic(errOdd)
				}
			}
			return e.Err()
		}
		var k *batchchan.Caller[int, int]
		var err error
		if merged {
			k, err = batchchan.NewMergingCaller(cfg, same, fn)
		} else {
			k, err = batchchan.NewCaller(cfg.Config, fn)
		}
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		each := rapid.IntRange(1, 60).Draw(t, "each")
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(g)))
				for range each {
					req := rng.IntN(10)
					ctx, cancel := bg, context.CancelFunc(func() {})
					if rng.IntN(3) == 0 {
						ctx, cancel = context.WithTimeout(bg, time.Duration(rng.IntN(50))*time.Microsecond)
					}
					v, err := k.Do(ctx, req)
					cancel()
					switch {
					case err == nil && v != 2*req:
						t.Errorf("Do(%d) is %d", req, v)
					case err == nil, ctx.Err() != nil, errors.Is(err, errOdd), errors.Is(err, batchchan.ErrClosed),
						errors.Is(err, batchchan.ErrFull), errors.Is(err, batchchan.ErrDropped):
					default:
						t.Errorf("Do: %v", err)
					}
				}
			})
		}
		if rapid.Bool().Draw(t, "shutdown") {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(bg, 100*time.Microsecond)
				defer cancel()
				_ = k.Shutdown(ctx)
			})
		}
		wg.Wait()
		_ = k.Close()
		k.Validate(t, 0)
		if n := batchchan.Joined[int](k); n > 0 {
			t.Errorf("%d requests are still joined", n)
		}
	})
}

var errOdd = fmt.Errorf("odd")
