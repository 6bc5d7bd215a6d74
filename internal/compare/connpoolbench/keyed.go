package connpoolbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/internal/compare"
)

// perKey is how many connections each key has, at most.
const perKey = 4

// keyed are the cases of a pool per key, whose keys are all there and each of
// which has an idle connection. They are drawn at random, which suits no cache of
// the last one.
func keyed() []compare.Case {
	var cases []compare.Case
	for _, keys := range []int{1, 16, 1024} {
		cases = append(cases, compare.Case{
			Group: "connpool", Name: fmt.Sprintf("keyed/keys=%d", keys),
			Doc:       "one op is one loan of a key drawn at random, by as many goroutines as processors; against a map of channels of connections under a sync.RWMutex, and one Pool, which has no keys",
			Metrics:   []string{"ns/op", "allocs/op"},
			Baselines: []string{"map-of-chan", "poundlock-pool"},
			Impls: impls([]Peer{
				keyedPool("poundlock", "Keyed, MaxOpen = 4", keys, 0),
				keyedPool("poundlock-total", "Keyed, MaxOpen = 4, MaxTotal = 4 for each key", keys, perKey*keys),
				mapOfChan(keys),
				option("poundlock-pool", "one Pool for all keys", nil),
			}, func(b *testing.B, p Peer) {
				pool, t := startKeyed(b, p, perKey*keys)
				defer pool.close()
				before := t.uses()
				b.ReportAllocs()
				b.ResetTimer()
				blind := share(b, runtime.GOMAXPROCS(0), pool, func(c *Conn) { c.uses++ })
				b.StopTimer()
				t.check(b, before+b.N, blind)
			}),
		})
	}
	return cases
}

// startKeyed makes a pool whose keys are all used once.
func startKeyed(b *testing.B, p Peer, n int) (Pool, *tally) {
	pool, t := newTally(b, p, n)
	for range 20 * n { // a key is missed once in many benchmarks, and dialed then
		if err := pool.Use(context.Background(), func(c *Conn) { c.uses++ }); err != nil {
			b.Fatal(err)
		}
	}
	return pool, t
}

func keyedPool(name, config string, keys, total int) Peer {
	return Peer{Name: name, Config: config, New: func(_ int, dial func() *Conn) (Pool, error) {
		k, err := connpool.NewKeyed(connpool.KeyedConfig[int, *Conn]{
			Dial:     func(context.Context, int) (*Conn, error) { return dial(), nil },
			Pool:     connpool.Config[*Conn]{Close: func(*Conn) error { return nil }, MaxOpen: perKey},
			MaxTotal: total,
		})
		if err != nil {
			return Pool{}, err
		}
		return Pool{
			Use: func(ctx context.Context, f func(*Conn)) error {
				c, err := k.Acquire(ctx, rand.IntN(keys))
				if err != nil {
					return err
				}
				f(c.Value())
				c.Release()
				return nil
			},
			Close: func() { _ = k.Close() },
		}, nil
	}}
}

// mapOfChan is what one writes without a library: a channel of connections for
// each key, opened before.
func mapOfChan(keys int) Peer {
	return Peer{
		Name: "map-of-chan", Config: "map[int]chan *Conn under a sync.RWMutex, prefilled; a plain receive where ctx cannot end",
		New: func(n int, dial func() *Conn) (Pool, error) {
			var mu sync.RWMutex
			m := make(map[int]chan *Conn, keys)
			for key := range keys {
				m[key] = make(chan *Conn, n/keys)
				for range n / keys {
					m[key] <- dial()
				}
			}
			return Pool{Use: func(ctx context.Context, f func(*Conn)) error {
				mu.RLock()
				ch := m[rand.IntN(keys)]
				mu.RUnlock()
				var c *Conn
				if done := ctx.Done(); done == nil {
					c = <-ch
				} else {
					select {
					case c = <-ch:
					case <-done:
						return ctx.Err()
					}
				}
				f(c)
				ch <- c
				return nil
			}}, nil
		},
	}
}
