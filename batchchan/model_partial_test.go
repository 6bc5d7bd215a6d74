package batchchan_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
)

// The ledger under random failures of parts: whatever mixture of ItemErrors, errors,
// panics, splits, back-offs aside, Flush, Close and Shutdown, every accepted item is
// processed once, or fails once, or comes back once.

// flaw is a processor that fails at random. What it does not fail it books as
// processed.
type flaw struct {
	mu   sync.Mutex
	rng  *rand.Rand
	l    *ledger
	fail int // percent of the calls that fail in some way
}

var errFlaw = errors.New("flaw")

func (f *flaw) process(items []tag) error {
	f.mu.Lock()
	how := 9
	if f.rng.IntN(100) < f.fail {
		how = f.rng.IntN(4)
	}
	var e batchchan.ItemErrors
	var done []tag
	for i, it := range items {
		switch {
		case how == 0 && f.rng.IntN(3) == 0:
			e.Fail(i, errFlaw)
		case how <= 1 && f.rng.IntN(3) == 0:
			e.Retry(i, errFlaw)
		default:
			done = append(done, it)
		}
	}
	f.mu.Unlock()
	switch how {
	case 2:
		return errFlaw
	case 3:
		panic(errFlaw)
	}
	f.l.come("processed", done...)
	return e.Err()
}

func drawFlaw(t *rapid.T, l *ledger) *flaw {
	return &flaw{rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "flaws"), 1)), l: l, fail: rapid.IntRange(0, 100).Draw(t, "fail")}
}

func drawRetry(t *rapid.T) batchchan.Retry {
	return batchchan.Retry{
		MaxAttempts: rapid.IntRange(0, 4).Draw(t, "MaxAttempts"),
		Backoff:     time.Duration(rapid.SampledFrom([]int{1, 1000, 50_000}).Draw(t, "Backoff")),
		Split:       rapid.Bool().Draw(t, "Split"),
		MaxCalls:    rapid.SampledFrom([]int{0, 3, 8}).Draw(t, "MaxCalls"),
		MaxAside:    rapid.IntRange(0, 3).Draw(t, "MaxAside"),
	}
}

// sender is what the random senders need.
type sender interface {
	Send(ctx context.Context, it tag) error
	SendMany(ctx context.Context, items []tag) (int, error)
	Flush(ctx context.Context) error
	Shutdown(ctx context.Context) ([]tag, error)
	Close() error
	Done() <-chan struct{}
}

// runPartial lets senders send to b while it is flushed and ended. It returns how
// many failures were reported.
func runPartial(t *rapid.T, l *ledger, b sender) int {
	seed := rapid.Uint64().Draw(t, "seed")
	each := rapid.IntRange(1, 60).Draw(t, "each")
	end := rapid.IntRange(0, 2).Draw(t, "end")
	var mu sync.Mutex
	reported := 0
	report := func(err error) {
		var f *batchchan.FailedError
		if errors.As(err, &f) {
			mu.Lock()
			reported += f.Items
			mu.Unlock()
		}
	}
	var wg sync.WaitGroup
	for from := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(from)))
			for i := 0; i < each; {
				ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(1000))*time.Microsecond)
				switch rng.IntN(8) {
				case 0:
					report(b.Flush(ctx))
				case 1, 2:
					many := []tag{}
					for range rng.IntN(12) {
						many = append(many, tag{from, i})
						i++
					}
					n, _ := b.SendMany(ctx, many)
					l.accept(many[:n]...)
				default:
					if b.Send(ctx, tag{from, i}) == nil {
						l.accept(tag{from, i})
					}
					i++
				}
				cancel()
			}
		})
	}
	if end == 2 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(bg, time.Duration(seed%500)*time.Microsecond)
			defer cancel()
			back, err := b.Shutdown(ctx)
			report(err)
			l.come("handed back", back...)
			<-b.Done()
		})
	}
	wg.Wait()
	report(b.Close())
	l.check()
	return reported
}

// checkPartial compares the statistics with the ledger.
func checkPartial(t *rapid.T, l *ledger, s batchchan.Stats, reported int) {
	n := map[string]uint64{}
	for _, how := range l.out {
		n[how]++
	}
	if s.Accepted != uint64(len(l.accepted)) || s.Succeeded != n["processed"] || s.Failed != n["failed"] || s.Dropped() != n["dropped"] ||
		s.Undelivered != n["handed back"]+n["stopped"] || s.Pending != 0 || s.InFlight != 0 || s.Aside != 0 {
		t.Errorf("%d accepted, %v, but %+v", len(l.accepted), n, s)
	}
	if uint64(reported) != n["failed"]+n["stopped"] {
		t.Errorf("%v, but %d failures were reported", n, reported)
	}
}

// bubbles runs f in real time and in a bubble.
func bubbles(t *testing.T, f func(*rapid.T)) {
	t.Run("real", func(t *testing.T) { rapid.Check(t, f) })
	t.Run("bubble", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) { synctest.Test(t, func(*testing.T) { f(rt) }) })
	})
}

func TestModelPartialFailures(t *testing.T) {
	bubbles(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		cfg.Retry = drawRetry(t)
		l := newLedger(t)
		f := drawFlaw(t, l)
		cfg.OnDrop = func(it tag, _ batchchan.DropReason) { l.come("dropped", it) }
		cfg.OnError = func(_ context.Context, _ error, items []tag) { l.come("failed", items...) }
		b, err := batchchan.New(cfg, func(_ context.Context, items []tag) error { return f.process(items) })
		if err != nil {
			t.Fatal(err)
		}
		reported := runPartial(t, l, b)
		b.Validate(t, 0)
		checkPartial(t, l, b.Stats(), reported)
	})
}

func TestModelPartialFailuresKeyed(t *testing.T) {
	bubbles(t, func(t *rapid.T) {
		base := drawConfig(t)
		base.Shards, base.PreciseLinger = 0, false
		base.Overflow %= 3
		base.Retry = drawRetry(t)
		cfg := batchchan.KeyedConfig[tag]{
			Config: base, MaxKeys: rapid.IntRange(0, 5).Draw(t, "MaxKeys"),
			KeyIdleTimeout: rapid.SampledFrom([]time.Duration{0, 50 * time.Microsecond, time.Hour}).Draw(t, "KeyIdleTimeout"),
			StopOnError:    rapid.IntRange(0, 3).Draw(t, "stop") == 0,
		}
		l := newLedger(t)
		f := drawFlaw(t, l)
		var k *batchchan.Keyed[int, tag]
		key := func(it tag) int { return 2*it.from + it.n%2 }
		cfg.OnDrop = func(it tag, _ batchchan.DropReason) { l.come("dropped", it) }
		cfg.OnError = func(_ context.Context, err error, items []tag) {
			if how := "failed"; errors.Is(err, batchchan.ErrStopped) {
				l.come("stopped", items...)
				k.Resume(key(items[0]))
			} else {
				l.come(how, items...)
			}
		}
		k, err := batchchan.NewKeyed(cfg, key, func(_ context.Context, of int, items []tag) error {
			for _, it := range items {
				if key(it) != of {
					t.Errorf("%v in a batch of %d", it, of)
				}
			}
			return f.process(items)
		})
		if err != nil {
			t.Fatal(err)
		}
		reported := runPartial(t, l, k)
		k.Validate(t, 0)
		checkPartial(t, l, k.Stats().Stats, reported)
	})
}

func TestModelPartialFailuresPipe(t *testing.T) {
	bubbles(t, func(t *rapid.T) {
		cfg := batchchan.PipeConfig[tag]{Config: drawConfig(t), Ordered: rapid.Bool().Draw(t, "Ordered"), MaxResults: rapid.IntRange(0, 3).Draw(t, "MaxResults")}
		cfg.Shards = 0
		cfg.Retry = drawRetry(t)
		cfg.Retry.MaxAside = 0
		l := newLedger(t)
		f := drawFlaw(t, l)
		cfg.OnDrop = func(it tag, _ batchchan.DropReason) { l.come("dropped", it) }
		cfg.OnError = func(_ context.Context, _ error, items []tag) { l.come("failed", items...) }
		booked := &ledger{t: t, accepted: map[tag]bool{}, out: map[tag]string{}, last: map[int]int{}}
		f.l = booked
		p, err := batchchan.NewPipe(cfg, func(_ context.Context, in, out []tag) ([]tag, error) {
			err := f.process(in)
			var e *batchchan.ItemErrors
			if err != nil && !errors.As(err, &e) {
				return append(out, tag{-1, -1}), err // discarded
			}
			failed := map[int]bool{}
			if e != nil {
				for i := range e.All() {
					failed[i] = true
				}
			}
			for i, it := range in {
				if !failed[i] {
					out = append(out, it)
				}
			}
			return out, err
		})
		if err != nil {
			t.Fatal(err)
		}
		var receiver sync.WaitGroup
		receiver.Go(func() {
			for it, err := range p.All(bg) {
				if err == nil {
					l.come("processed", it)
				}
			}
		})
		// What was processed is there only when it was received.
		reported := runPartial(t, l, closeThen{p, receiver.Wait})
		p.Validate(t, 0)
		checkPartial(t, l, p.Stats(), reported)
	})
}

// closeThen is a Pipe whose Close waits for its receiver.
type closeThen struct {
	*batchchan.Pipe[tag, tag]
	wait func()
}

func (c closeThen) Close() error {
	err := c.Pipe.Close()
	c.wait()
	return err
}
