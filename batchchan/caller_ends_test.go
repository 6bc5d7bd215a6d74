package batchchan_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// Whatever way a function of a Caller ends, and wherever it is called: every Do that
// its own goroutine survives has an answer, none hangs, and the next Do is answered.
func TestEveryEndInEveryPlaceOfACaller(t *testing.T) {
	type setup struct {
		batchchan.CallerConfig[int]
		fn  batchchan.CallFunc[int, int]
		key func(int) int
	}
	places := map[string]func(*setup, func() error){
		"CallFunc": func(s *setup, end func() error) {
			fn := s.fn
			s.fn = func(ctx context.Context, reqs []int, results []batchchan.Result[int]) error {
				if err := fn(ctx, reqs, results); err != nil || reqs[0] < 0 {
					return err
				}
				return end()
			}
		},
		"SizeOf": func(s *setup, end func() error) {
			s.MaxPendingBytes, s.SizeOf = 100, func(v int) int {
				if v >= 0 {
					_ = end()
				}
				return 1
			}
		},
		"key": func(s *setup, end func() error) {
			s.key = func(v int) int {
				if v >= 0 {
					_ = end()
				}
				return v
			}
		},
		"OnError": func(s *setup, end func() error) {
			fn := s.fn
			s.fn = func(ctx context.Context, reqs []int, results []batchchan.Result[int]) error {
				if err := fn(ctx, reqs, results); err != nil || reqs[0] < 0 {
					return err
				}
				return errEnd
			}
			s.OnError = func(context.Context, error, []int) { _ = end() }
		},
		"OnDrop": func(s *setup, end func() error) {
			s.Overflow, s.OnDrop = batchchan.DropNewest, func(int, batchchan.DropReason) { _ = end() }
		},
		"OnDrop of the oldest": func(s *setup, end func() error) {
			s.Overflow, s.OnDrop = batchchan.DropOldest, func(int, batchchan.DropReason) { _ = end() }
		},
		"RateLimit": func(s *setup, end func() error) { s.RateLimit = endLimiter{end} },
	}
	for _, kind := range []string{"plain", "merging", "cached"} {
		for place, set := range places {
			if kind == "plain" && place == "key" {
				continue
			}
			for _, end := range ends {
				t.Run(fmt.Sprintf("%s/%s/%s", kind, place, end.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var called atomic.Int64
						s := setup{key: func(v int) int { return v }}
						s.MaxBatch, s.MaxPending = 1, 2
						s.fn = func(_ context.Context, reqs []int, results []batchchan.Result[int]) error {
							time.Sleep(time.Second) // the others meet a full buffer
							for i, v := range reqs {
								results[i].Value = v
							}
							return nil
						}
						set(&s, func() error { called.Add(1); return end.end() })
						var k *batchchan.Caller[int, int]
						var err error
						switch kind {
						case "plain":
							k, err = batchchan.NewCaller(s.Config, s.fn)
						case "cached":
							s.CacheFor = time.Minute
							fallthrough
						case "merging":
							k, err = batchchan.NewMergingCaller(s.CallerConfig, s.key, s.fn)
						}
						require.NoError(t, err)
						ctx, cancel := context.WithTimeout(bg, time.Hour)
						defer cancel()
						var hung, answered atomic.Int64
						for i := range 12 {
							go apart(func() {
								v, err := k.Do(ctx, i/2) // two of each
								answered.Add(1)
								if ctx.Err() != nil {
									hung.Add(1)
								} else if err == nil && v != i/2 {
									t.Errorf("%d is not the answer to %d", v, i/2)
								}
							})
							synctest.Wait()
						}
						time.Sleep(2 * time.Hour)
						synctest.Wait()
						require.NotZero(t, called.Load(), "the function was called")
						require.Zero(t, hung.Load(), "nothing hangs")
						if place != "SizeOf" && place != "key" {
							require.EqualValues(t, 12, answered.Load())
						}
						if place != "RateLimit" {
							v, err := k.Do(bg, -7)
							require.NoError(t, err)
							require.Equal(t, -7, v)
						}
						synctest.Wait() // the answer comes before the worker has booked the batch
						k.Validate(t, 0)
						require.Zero(t, batchchan.Joined[int](k), "nobody joins what is over")
						require.NoError(t, k.Shutdown(bg))
						checkQuiet(t, k.Stats().Stats)
					})
				})
			}
		}
	}
}
