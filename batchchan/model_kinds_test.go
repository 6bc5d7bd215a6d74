package batchchan_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
)

func TestModelQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		if cfg.Overflow == batchchan.CallerRuns {
			cfg.Overflow = batchchan.Reject
		}
		l := newLedger(t)
		cfg.OnDrop = func(it tag, _ batchchan.DropReason) { l.come("dropped", it) }
		q, err := batchchan.NewQueue(cfg)
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
					if errors.Is(err, batchchan.ErrClosed) {
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
		q.Validate(t, 0)
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
		cfg := batchchan.KeyedConfig[tag]{Config: base, MaxKeys: rapid.IntRange(0, 4).Draw(t, "MaxKeys")}
		if rapid.Bool().Draw(t, "keep") {
			cfg.KeyIdleTimeout = 50 * time.Microsecond
		}
		l := newLedger(t)
		l.ordered = true // per sender, and each sender has its keys to itself: see from
		cfg.OnDrop = func(it tag, _ batchchan.DropReason) { l.come("dropped", it) }
		busy := map[int]bool{}
		// The key: of from's items, the odd and the even are two keys.
		key := func(it tag) int { return it.from }
		k, err := batchchan.NewKeyed(cfg, key, func(_ context.Context, key int, items []tag) error {
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
		k.Validate(t, 0)
		s := k.Stats()
		if s.Accepted != uint64(len(l.accepted)) || s.Accepted != s.Succeeded+s.Dropped()+s.Undelivered || s.Keys != 0 {
			t.Errorf("%d accepted, %+v", len(l.accepted), s)
		}
	})
}
