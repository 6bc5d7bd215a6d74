package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// ends are all the ways in which a function of the user can end that do not end the
// process.
var ends = []struct {
	name string
	end  func() error
	ok   bool // as if nothing had been wrong
}{
	{"returns", func() error { return nil }, true},
	{"error", func() error { return errEnd }, false},
	{"panic", func() error { panic("boom") }, false},
	{"error panic", func() error { panic(errEnd) }, false},
	{"nil panic", func() error { panic(nil) }, false}, //nolint:govet // the subject
	{"panic in a panic", func() error { defer func() { panic("second") }(); panic("first") }, false},
	{"Goexit", func() error { runtime.Goexit(); return nil }, false},
	{"panic in a Goexit", func() error { defer func() { panic("cleanup") }(); runtime.Goexit(); return nil }, false},
	{"Goexit in a panic", func() error { defer runtime.Goexit(); panic("boom") }, false},
	{"recovered panic in a Goexit", func() error {
		defer func() {
			defer func() { _ = recover() }()
			panic("x")
		}()
		runtime.Goexit()
		return nil
	}, false},
}

var errEnd = errors.New("the end")

// endLimiter is a Limiter whose every Wait ends so.
type endLimiter struct{ end func() error }

func (l endLimiter) Wait(context.Context) error { return l.end() }

// endConfig makes everything happen that a Config has a function for, one batch at a
// time: of each of four items sent, the first fails, and what finds no room is dropped.
func endConfig(set func(*batchchan.Config[int])) batchchan.Config[int] {
	cfg := batchchan.Config[int]{
		MaxBatch: 1, MaxPending: 2, Overflow: batchchan.DropNewest,
		Retry: batchchan.Retry{MaxAttempts: 2, Backoff: time.Second, Retryable: func(error) bool { return false }},
	}
	set(&cfg)
	return cfg
}

// endPlaces are the functions that a Config holds. bySender says that the sender calls
// it; processor that the batch ends as the function does.
var endPlaces = []struct {
	name                string
	set                 func(*batchchan.Config[int], func() error)
	bySender, processor bool
}{
	{name: "OnError", set: func(c *batchchan.Config[int], end func() error) {
		c.OnError = func(context.Context, error, []int) { _ = end() }
	}},
	{name: "OnDrop", bySender: true, set: func(c *batchchan.Config[int], end func() error) {
		c.OnDrop = func(int, batchchan.DropReason) { _ = end() }
	}},
	{name: "OnDrop of the oldest", bySender: true, set: func(c *batchchan.Config[int], end func() error) {
		c.Overflow, c.OnDrop = batchchan.DropOldest, func(int, batchchan.DropReason) { _ = end() }
	}},
	{name: "SizeOf", bySender: true, set: func(c *batchchan.Config[int], end func() error) {
		c.MaxPendingBytes, c.SizeOf = 100, func(v int) int {
			if v >= 0 {
				_ = end()
			}
			return 1
		}
	}},
	{name: "Retryable", set: func(c *batchchan.Config[int], end func() error) {
		c.Retry.Retryable = func(error) bool { return end() == nil }
	}},
	{name: "Retryable with Split", set: func(c *batchchan.Config[int], end func() error) {
		c.MaxBatch, c.Retry.Split = 2, true
		c.Retry.Retryable = func(error) bool { return end() == nil }
	}},
	{name: "Retryable with MaxAside", set: func(c *batchchan.Config[int], end func() error) {
		c.Retry.MaxAside = 1
		c.Retry.Retryable = func(error) bool { return end() == nil }
	}},
	{name: "RateLimit", processor: true, set: func(c *batchchan.Config[int], end func() error) { c.RateLimit = endLimiter{end} }},
	{name: "processor", processor: true},
	{name: "processor run by the sender", processor: true, set: func(c *batchchan.Config[int], _ func() error) {
		c.Overflow = batchchan.CallerRuns
	}},
	{name: "processor in runs", processor: true, set: func(c *batchchan.Config[int], _ func() error) { c.MaxPending = 4096 }},
	{name: "processor with Timeout", processor: true, set: func(c *batchchan.Config[int], _ func() error) { c.Timeout = time.Hour }},
}

// endSubject is what the table is run on: an instance of one type, whose items are
// sent by send, one at a time, and whose function ends as fn does.
type endSubject struct {
	send  func(v int) error
	flush func(context.Context) error
	close func(context.Context) error
	stats func() batchchan.Stats
	check func(t *testing.T)
}

var endKinds = []struct {
	name string
	make func(t *testing.T, cfg batchchan.Config[int], fn func([]int) error) (endSubject, bool)
}{
	{"Batcher", func(t *testing.T, cfg batchchan.Config[int], fn func([]int) error) (endSubject, bool) {
		b := must[int](t)(batchchan.New(cfg, func(_ context.Context, items []int) error { return fn(items) }))
		return endSubject{
			func(v int) error { return b.Send(bg, v) },
			b.Flush,
			func(ctx context.Context) error { _, err := b.Shutdown(ctx); return err },
			b.Stats, func(t *testing.T) { b.Validate(t, 0) },
		}, true
	}},
	{"Pipe", func(t *testing.T, cfg batchchan.Config[int], fn func([]int) error) (endSubject, bool) {
		if cfg.Retry.MaxAside > 0 {
			return endSubject{}, false
		}
		p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg, MaxResults: 100, Ordered: true},
			func(_ context.Context, in, out []int) ([]int, error) { return append(out, in...), fn(in) })
		require.NoError(t, err)
		return endSubject{
			func(v int) error { return p.Send(bg, v) },
			p.Flush,
			func(ctx context.Context) error { _, err := p.Shutdown(ctx); return err },
			p.Stats, func(t *testing.T) { p.Validate(t, 0) },
		}, true
	}},
	{"Keyed", func(t *testing.T, cfg batchchan.Config[int], fn func([]int) error) (endSubject, bool) {
		if cfg.Overflow > batchchan.DropNewest {
			return endSubject{}, false
		}
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(int) int { return 0 },
			func(_ context.Context, _ int, items []int) error { return fn(items) })
		require.NoError(t, err)
		return endSubject{
			func(v int) error { return k.Send(bg, v) },
			k.Flush,
			func(ctx context.Context) error { _, err := k.Shutdown(ctx); return err },
			func() batchchan.Stats { return k.Stats().Stats }, func(t *testing.T) { k.Validate(t, 0) },
		}, true
	}},
}

// apart calls f in a goroutine that f may end, and reports whether f returned.
func apart(f func()) (returned bool) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = recover() }()
		f()
		returned = true
	}()
	<-over
	return returned
}

// Whatever way a function of the user ends, and wherever it is called: the books
// balance, each item has one outcome, nothing hangs, and the next item is processed.
func TestEveryEndInEveryPlace(t *testing.T) {
	for _, kind := range endKinds {
		for _, place := range endPlaces {
			for _, end := range ends {
				t.Run(fmt.Sprintf("%s/%s/%s", kind.name, place.name, end.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var called atomic.Int64 // a sender may run the function beside a worker
						bad := func() error { called.Add(1); return end.end() }
						cfg := endConfig(func(c *batchchan.Config[int]) {
							if place.set != nil {
								place.set(c, bad)
							}
						})
						failing := true // the first item of four
						s, ok := kind.make(t, cfg, func(items []int) error {
							time.Sleep(time.Second) // the others find no room
							if items[0] < 0 {
								return nil
							}
							if place.processor {
								if cfg.RateLimit == nil {
									return bad()
								}
								return nil
							}
							if failing {
								return errEnd
							}
							return nil
						})
						if !ok {
							return
						}
						for v := range 4 {
							apart(func() { _ = s.send(v) })
						}
						ctx, cancel := context.WithTimeout(bg, time.Hour)
						defer cancel()
						err := s.flush(ctx)
						require.NotErrorIs(t, err, context.DeadlineExceeded, "nothing hangs")
						require.NotZero(t, called.Load(), "the function was called")
						st := s.stats()
						checkQuiet(t, st)
						require.Zero(t, st.Pending+st.InFlight+st.Waiting+st.Aside)
						switch {
						case !place.processor:
							require.Zero(t, st.Succeeded, "%+v", st)
							requireFailed(t, int(st.Failed), err)
						case end.ok:
							require.Zero(t, st.Failed, "%+v", st)
							require.NoError(t, err)
						default:
							require.Zero(t, st.Succeeded, "%+v", st)
							requireFailed(t, int(st.Failed), err)
						}
						s.check(t)
						// It goes on.
						failing = false
						if place.name != "RateLimit" {
							before := s.stats().Succeeded
							require.NoError(t, s.send(-1))
							require.NoError(t, s.flush(ctx))
							require.Equal(t, before+1, s.stats().Succeeded)
						}
						require.NoError(t, s.close(ctx))
						s.check(t)
					})
				})
			}
		}
	}
}
