package batchchan_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
)

// runModel has senders do random operations on b while another goroutine ends it.
func runModel(t *rapid.T, inBubble bool) {
	cfg := drawConfig(t)
	l := newLedger(t)
	l.ordered = cfg.Workers == 1 && cfg.Shards == 0 && cfg.Overflow != batchchan.CallerRuns
	limit, byteLimit := min(cfg.MaxBatch, cfg.MaxPending), cfg.MaxBytes
	callers := 0
	if cfg.Overflow == batchchan.CallerRuns {
		callers = 100
	}
	flaky := rapid.Bool().Draw(t, "flaky")
	cfg.OnDrop = func(it tag, _ batchchan.DropReason) { l.come("dropped", it) }
	cfg.Retry = batchchan.Retry{MaxAttempts: rapid.IntRange(1, 3).Draw(t, "MaxAttempts"), Backoff: time.Microsecond}
	var seen atomic.Uint64
	b, err := batchchan.New(cfg, func(ctx context.Context, items []tag) error {
		l.mu.Lock()
		l.running++
		if l.running > cfg.Workers+callers {
			t.Errorf("%d batches at once", l.running)
		}
		l.mu.Unlock()
		n := seen.Add(1)
		bytes := 0
		for _, it := range items {
			bytes += size(it)
		}
		if len(items) == 0 || len(items) > limit || byteLimit > 0 && bytes > byteLimit {
			t.Errorf("batch of %d items, %d bytes", len(items), bytes)
		}
		if inBubble {
			time.Sleep(time.Duration(n%3) * time.Millisecond) // real time: only in a bubble
		}
		var err error
		if flaky && n%5 == 0 {
			err = errors.New("flaky")
		}
		if flaky && n%13 == 0 {
			l.come("processed", items...)
			l.mu.Lock()
			l.running--
			l.mu.Unlock()
			panic("flaky")
		}
		l.mu.Lock()
		l.running--
		l.mu.Unlock()
		if err == nil {
			l.come("processed", items...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.SetOnError(func(_ context.Context, err error, items []tag) {
		var p *batchchan.PanicError
		if !errors.As(err, &p) {
			l.come("failed", items...)
		}
	})
	senders := rapid.IntRange(1, 5).Draw(t, "senders")
	each := rapid.IntRange(1, 60).Draw(t, "each")
	seed := rapid.Uint64().Draw(t, "seed")
	var wg sync.WaitGroup
	for from := range senders {
		wg.Go(func() { modelSender(b, l, from, each, rand.New(rand.NewPCG(seed, uint64(from)))) })
	}
	ender := rapid.IntRange(0, 3).Draw(t, "end")
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 99))
		for range rng.IntN(200) {
			s := b.Stats()
			if s.Pending > cfg.MaxPending || cfg.MaxPendingBytes > 0 && s.PendingBytes > cfg.MaxPendingBytes {
				t.Errorf("bound exceeded: %+v", s)
			}
			if s.Accepted != s.Delivered+s.Dropped()+s.Undelivered+uint64(s.Pending) {
				t.Errorf("does not add up: %+v", s)
			}
		}
		switch ender {
		case 0:
			b.Close()
		case 1:
			ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(300))*time.Microsecond)
			defer cancel()
			back, _ := b.Shutdown(ctx)
			l.come("handed back", back...)
			<-b.Done()
		}
	})
	wg.Wait()
	b.Close()
	l.check()
	b.Validate(l.t, 0)
	s := b.Stats()
	if s.Accepted != uint64(len(l.accepted)) || s.Pending != 0 || s.InFlight != 0 ||
		s.Accepted != s.Delivered+s.Dropped()+s.Undelivered || s.Delivered != s.Succeeded+s.Failed || s.HighWater > cfg.MaxPending {
		t.Errorf("%d accepted, but %+v", len(l.accepted), s)
	}
}

// modelSender sends each items in random ways.
func modelSender(b *batchchan.Batcher[tag], l *ledger, from, each int, rng *rand.Rand) {
	p := b.Producer()
	for i := 0; i < each; i++ {
		it := tag{from, i}
		var err error
		ctx, cancel := bg, context.CancelFunc(func() {})
		if rng.IntN(4) == 0 {
			ctx, cancel = context.WithTimeout(bg, time.Duration(rng.IntN(100))*time.Microsecond)
		}
		// A lane is FIFO for itself: before going round it, empty it.
		op := rng.IntN(10)
		if op >= 4 {
			p.Flush()
		}
		switch op {
		case 0, 1, 2, 3:
			err = p.Send(ctx, it)
		case 4, 5:
			err = b.Send(ctx, it)
		case 6:
			err = b.TrySend(it)
		case 7:
			err = b.SendTimeout(it, time.Duration(rng.IntN(50))*time.Microsecond)
		case 8:
			many := []tag{it}
			for k := rng.IntN(20); k > 0 && i+1 < each; k-- {
				i++
				many = append(many, tag{from, i})
			}
			n, err := b.SendMany(ctx, many)
			if (err == nil) != (n == len(many)) {
				l.t.Errorf("SendMany: %d of %d, %v", n, len(many), err)
			}
			l.accept(many[:n]...)
			cancel()
			continue
		default:
			ctx, cancel2 := context.WithTimeout(bg, time.Millisecond)
			b.Flush(ctx)
			cancel2()
			i--
			each--
			cancel()
			continue
		}
		if err == nil {
			l.accept(it)
		}
		cancel()
	}
}

func TestModelExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { runModel(t, false) })
}

func TestModelExactlyOnceInABubble(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) { runModel(rt, true) })
	})
}
