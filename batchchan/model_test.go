package batchchan

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
)

// The property of the package, under random configurations, operations,
// cancellations, failures and a concurrent Close or Shutdown: every item whose
// send returned nil comes out exactly once (processed, dropped with a reason, or
// handed back), every other not at all; each producer's items in order; caps and
// bounds never exceeded.

type tag struct{ from, n int }

type ledger struct {
	mu       sync.Mutex
	t        *rapid.T
	accepted map[tag]bool
	out      map[tag]string
	last     map[int]int // per sender, where order is promised
	ordered  bool
	running  int
}

func (l *ledger) come(how string, items ...tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range items {
		if was, twice := l.out[it]; twice {
			l.t.Errorf("%v came out twice: %s, then %s", it, was, how)
		}
		l.out[it] = how
		if last, ok := l.last[it.from]; ok && l.ordered && how == "processed" && last >= it.n {
			l.t.Errorf("sender %d: %d after %d", it.from, it.n, last)
		}
		if how == "processed" {
			l.last[it.from] = it.n
		}
	}
}

func (l *ledger) accept(items ...tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range items {
		l.accepted[it] = true
	}
}

// check compares what was accepted with what came out.
func (l *ledger) check() {
	for it := range l.accepted {
		if _, ok := l.out[it]; !ok {
			l.t.Errorf("%v was accepted and lost", it)
		}
	}
	for it, how := range l.out {
		if !l.accepted[it] {
			l.t.Errorf("%v was refused and yet %s", it, how)
		}
	}
}

func newLedger(t *rapid.T) *ledger {
	return &ledger{t: t, accepted: map[tag]bool{}, out: map[tag]string{}, last: map[int]int{}}
}

func size(it tag) int { return it.n%5 + 1 }

func drawConfig(t *rapid.T) Config[tag] {
	cfg := Config[tag]{
		MaxBatch:   rapid.IntRange(1, 12).Draw(t, "MaxBatch"),
		MaxPending: rapid.IntRange(1, 40).Draw(t, "MaxPending"),
		Workers:    rapid.IntRange(1, 3).Draw(t, "Workers"),
		Overflow:   Overflow(rapid.IntRange(0, 4).Draw(t, "Overflow")),
		Linger:     rapid.SampledFrom([]time.Duration{0, -1, time.Microsecond, time.Millisecond}).Draw(t, "Linger"),
		Shards:     rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "Shards"),

		DetachBatches: rapid.Bool().Draw(t, "Detach"),
	}
	if rapid.IntRange(0, 2).Draw(t, "bytes") == 0 {
		cfg.SizeOf = size
		cfg.MaxBytes = rapid.IntRange(5, 30).Draw(t, "MaxBytes")
		cfg.MaxPendingBytes = rapid.IntRange(0, 1).Draw(t, "limit") * rapid.IntRange(5, 60).Draw(t, "MaxPendingBytes")
	}
	if cfg.Linger > 0 {
		cfg.PreciseLinger = rapid.Bool().Draw(t, "Precise")
	}
	return cfg
}

// runModel has senders do random operations on b while another goroutine ends it.
func runModel(t *rapid.T, inBubble bool) {
	cfg := drawConfig(t)
	l := newLedger(t)
	l.ordered = cfg.Workers == 1 && cfg.Shards == 0 && cfg.Overflow != CallerRuns
	limit, byteLimit := min(cfg.MaxBatch, cfg.MaxPending), cfg.MaxBytes
	callers := 0
	if cfg.Overflow == CallerRuns {
		callers = 100
	}
	flaky := rapid.Bool().Draw(t, "flaky")
	cfg.OnDrop = func(it tag, _ DropReason) { l.come("dropped", it) }
	cfg.Retry = Retry{MaxAttempts: rapid.IntRange(1, 3).Draw(t, "MaxAttempts"), Backoff: time.Microsecond}
	var seen atomic.Uint64
	b, err := New(cfg, func(ctx context.Context, items []tag) error {
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
	b.c.cfg.OnError = func(err error, items []tag) {
		var p *PanicError
		if !errors.As(err, &p) {
			l.come("failed", items...)
		}
	}
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
	s := b.Stats()
	if s.Accepted != uint64(len(l.accepted)) || s.Pending != 0 || s.InFlight != 0 ||
		s.Accepted != s.Delivered+s.Dropped()+s.Undelivered || s.Delivered != s.Succeeded+s.Failed || s.HighWater > cfg.MaxPending {
		t.Errorf("%d accepted, but %+v", len(l.accepted), s)
	}
}

// modelSender sends each items in random ways.
func modelSender(b *Batcher[tag], l *ledger, from, each int, rng *rand.Rand) {
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

func TestModelQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		if cfg.Overflow == CallerRuns {
			cfg.Overflow = Reject
		}
		l := newLedger(t)
		cfg.OnDrop = func(it tag, _ DropReason) { l.come("dropped", it) }
		q, err := NewQueue(cfg)
		if err != nil {
			t.Fatal(err)
		}
		receivers := rapid.IntRange(1, 3).Draw(t, "receivers")
		l.ordered = receivers == 1
		each := rapid.IntRange(1, 100).Draw(t, "each")
		seed := rapid.Uint64().Draw(t, "seed")
		var senders, recvs sync.WaitGroup
		for from := range 3 {
			senders.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(from)))
				for i := range each {
					ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(1000))*time.Microsecond)
					if q.Send(ctx, tag{from, i}) == nil {
						l.accept(tag{from, i})
					}
					cancel()
				}
			})
		}
		for r := range receivers {
			recvs.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(100+r)))
				for {
					ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(500))*time.Microsecond)
					b, err := q.Recv(ctx)
					cancel()
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						continue
					}
					if len(b.Items) == 0 || len(b.Items) > min(cfg.MaxBatch, cfg.MaxPending) {
						t.Errorf("batch of %d", len(b.Items))
					}
					l.come("processed", b.Items...)
					b.Release()
				}
			})
		}
		senders.Wait()
		q.Close()
		recvs.Wait()
		<-q.Done()
		l.check()
		if s := q.Stats(); s.Succeeded+s.Dropped() != uint64(len(l.accepted)) {
			t.Errorf("%d accepted, %+v", len(l.accepted), s)
		}
	})
}

func TestModelKeyed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := drawConfig(t)
		base.MaxBytes, base.MaxPendingBytes, base.Shards, base.SizeOf = 0, 0, 0, nil
		base.Overflow %= 3
		base.PreciseLinger = false
		cfg := KeyedConfig[tag]{Config: base, MaxKeys: rapid.IntRange(0, 4).Draw(t, "MaxKeys")}
		if rapid.Bool().Draw(t, "keep") {
			cfg.IdleTimeout = 50 * time.Microsecond
		}
		l := newLedger(t)
		l.ordered = true // per sender, and each sender has its keys to itself: see from
		cfg.OnDrop = func(it tag, _ DropReason) { l.come("dropped", it) }
		busy := map[int]bool{}
		// The key: of from's items, the odd and the even are two keys.
		key := func(it tag) int { return it.from }
		k, err := NewKeyed(cfg, key, func(_ context.Context, key int, items []tag) error {
			l.mu.Lock()
			if busy[key] {
				t.Errorf("two batches of key %d at once", key)
			}
			busy[key] = true
			l.mu.Unlock()
			for _, it := range items {
				if it.from != key {
					t.Errorf("%v in a batch of %d", it, key)
				}
			}
			if len(items) == 0 || len(items) > min(cfg.MaxBatch, cfg.MaxPending) {
				t.Errorf("batch of %d", len(items))
			}
			l.come("processed", items...)
			l.mu.Lock()
			busy[key] = false
			l.mu.Unlock()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		each := rapid.IntRange(1, 80).Draw(t, "each")
		seed := rapid.Uint64().Draw(t, "seed")
		var wg sync.WaitGroup
		for from := range 6 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(from)))
				for i := range each {
					ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(1000))*time.Microsecond)
					var err error
					switch rng.IntN(6) {
					case 0:
						err = k.TrySend(tag{from, i})
					case 1:
						k.Flush(ctx)
						err = k.SendTimeout(tag{from, i}, time.Microsecond)
					default:
						err = k.Send(ctx, tag{from, i})
					}
					if err == nil {
						l.accept(tag{from, i})
					}
					if s := k.Stats(); s.Pending > cfg.MaxPending || cfg.MaxKeys > 0 && s.Keys > cfg.MaxKeys {
						t.Errorf("bound exceeded: %+v", s)
					}
					cancel()
				}
			})
		}
		if rapid.Bool().Draw(t, "shutdown") {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(bg, 200*time.Microsecond)
				defer cancel()
				back, _ := k.Shutdown(ctx)
				l.come("handed back", back...)
				<-k.Done()
			})
		}
		wg.Wait()
		k.Close()
		l.check()
		s := k.Stats()
		if s.Accepted != uint64(len(l.accepted)) || s.Accepted != s.Succeeded+s.Dropped()+s.Undelivered || s.Keys != 0 {
			t.Errorf("%d accepted, %+v", len(l.accepted), s)
		}
	})
}
