package service

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/examples/internal/breaker"
	"github.com/poundlock/poundlock/examples/internal/resp"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// ring spreads products over several Redis servers. A product's server is the one
// whose hash with the product's number is highest (rendezvous hashing): when a
// server is added or taken away, only its own share moves.
type ring struct {
	addrs    []string
	seeds    []uint64                    // hashes of addrs
	breakers map[string]*breaker.Breaker // by address: a server that hangs costs a few requests time, not all
	pools    *connpool.Keyed[string, *resp.Conn]
	ttl      time.Duration
	trips    *goods.Trips
}

// redisTimeout bounds what a request may wait for Redis: the database would have
// answered by then.
const redisTimeout = 100 * time.Millisecond

func newRing(addrs []string, ttl time.Duration, see *sight, trips *goods.Trips) (*ring, error) {
	if len(addrs) == 0 {
		return nil, errors.New("shop: no address of a Redis server")
	}
	r := &ring{addrs: addrs, breakers: map[string]*breaker.Breaker{}, ttl: ttl, trips: trips}
	for _, a := range addrs {
		h := fnv.New64a()
		_, _ = h.Write([]byte(a))
		r.seeds = append(r.seeds, h.Sum64())
		r.breakers[a] = breaker.New(func(err error) bool { return !resp.Answered(err) })
		add(see, "redis "+a, r.breakers[a])
	}
	var err error
	r.pools, err = connpool.NewKeyed(connpool.KeyedConfig[string, *resp.Conn]{
		Dial: resp.Dial,
		Pool: connpool.Config[*resp.Conn]{
			Name: "redis", Close: (*resp.Conn).Close,
			Check:   func(ctx context.Context, c *resp.Conn) error { return c.Ping(ctx) },
			Bad:     func(err error) bool { return !resp.Answered(err) },
			MaxOpen: 8, IdleTimeout: time.Minute, DialTimeout: time.Second, CheckTimeout: redisTimeout, RetryBroken: true,
			Backoff: connpool.Backoff{Min: 10 * time.Millisecond, Max: 500 * time.Millisecond},
			Breaker: connpool.Breaker{Failures: 3, OpenFor: time.Second},
		},
	})
	if err == nil {
		add(see, "redis", r.pools)
	}
	return r, err
}

// place returns the index of the server of a product.
func (r *ring) place(id int64) (best int) {
	var most uint64
	for i, seed := range r.seeds {
		x := (seed ^ uint64(id)) * 0x9e3779b97f4a7c15 // the finaliser of splitmix64
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		if x ^= x >> 31; i == 0 || x > most {
			best, most = i, x
		}
	}
	return best
}

// each calls f once for every server that has some of the ids, with their indices,
// at the same time. Errors are for the metrics: the shop works without Redis.
func (r *ring) each(ctx context.Context, n int, id func(int) int64, f func(*resp.Conn, []int) error) error {
	parts := make([][]int, len(r.addrs))
	for i := range n {
		at := r.place(id(i))
		parts[at] = append(parts[at], i)
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	errs := make([]error, len(r.addrs))
	var wg sync.WaitGroup
	for at, part := range parts {
		if len(part) == 0 {
			continue
		}
		wg.Go(func() {
			errs[at] = r.breakers[r.addrs[at]].Do(func() error {
				return r.pools.Do(ctx, r.addrs[at], func(ctx context.Context, c *resp.Conn) error {
					r.trips.Commands.Add(1)
					return c.Within(ctx, func() error { return f(c, part) })
				})
			})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// get returns the JSON of each product that Redis has, else nil.
func (r *ring) get(ctx context.Context, ids []int64) [][]byte {
	found := make([][]byte, len(ids))
	_ = r.each(ctx, len(ids), func(i int) int64 { return ids[i] }, func(c *resp.Conn, part []int) error {
		c.Command("MGET", len(part))
		for _, i := range part {
			c.Arg(goods.CacheKey(ids[i]))
		}
		return c.Values(func(n int, value []byte) { found[part[n]] = value }, len(part))
	})
	return found
}

// set stores products, in one pipeline per server.
func (r *ring) set(ctx context.Context, es []*entry) error { return r.put(ctx, es, r.ttl, "") }

// fill stores products that Redis does not have: what was read before a change must
// not replace what was written by it.
func (r *ring) fill(ctx context.Context, es []*entry) error { return r.put(ctx, es, r.ttl, "NX") }

// forget puts nothing in the place of a product, for as long as a fill with what was
// read before may be under way.
func (r *ring) forget(ctx context.Context, id int64) error {
	return r.put(ctx, []*entry{{id: id}}, 3*time.Second, "")
}

// put stores products for ttl, with a further option of SET unless that is "".
func (r *ring) put(ctx context.Context, es []*entry, ttl time.Duration, option string) error {
	args := 4
	if option != "" {
		args++
	}
	return r.each(ctx, len(es), func(i int) int64 { return es[i].id }, func(c *resp.Conn, part []int) error {
		for _, i := range part {
			c.Command("SET", args)
			c.Arg(goods.CacheKey(es[i].id))
			c.ArgBytes(es[i].json)
			c.Arg("PX")
			c.Arg(strconv.FormatInt(ttl.Milliseconds(), 10))
			if option != "" {
				c.Arg(option)
			}
		}
		return c.Lines(len(part))
	})
}
