package batchchan

import "time"

// cache holds answers for a time, the oldest first.
type cache[K comparable, Res any] struct {
	ttl   time.Duration
	limit int
	all   map[K]*cachedAnswer[K, Res]
	order fifo[*cachedAnswer[K, Res]]
}

type cachedAnswer[K comparable, Res any] struct {
	key   K
	value Res
	at    time.Duration
	gone  bool // no longer in all
}

func (c *cache[K, Res]) init(ttl time.Duration, limit int) {
	c.ttl, c.limit = ttl, limit
	if limit == 0 {
		c.limit = 1024
	}
	c.all = make(map[K]*cachedAnswer[K, Res])
}

func (c *cache[K, Res]) on() bool { return c.ttl > 0 }

func (c *cache[K, Res]) get(key K, now time.Duration) (v Res, ok bool) {
	c.expire(now)
	a := c.all[key]
	if a == nil || now-a.at >= c.ttl {
		return v, false
	}
	return a.value, true
}

func (c *cache[K, Res]) put(key K, v Res, now time.Duration) {
	c.remove(key)
	a := &cachedAnswer[K, Res]{key: key, value: v, at: now}
	c.all[key] = a
	c.order.push(a)
	c.expire(now)
	for c.order.len() > c.limit {
		c.dropOldest()
	}
}

// expire frees some of what is too old; more than one put adds.
func (c *cache[K, Res]) expire(now time.Duration) {
	for range 4 {
		if c.order.len() == 0 || now-(*c.order.front()).at < c.ttl {
			return
		}
		c.dropOldest()
	}
}

func (c *cache[K, Res]) dropOldest() {
	a := *c.order.front()
	c.order.drop()
	if !a.gone {
		delete(c.all, a.key)
	}
}

// remove takes an answer out; its place in order stays until it is the oldest.
func (c *cache[K, Res]) remove(key K) {
	if a := c.all[key]; a != nil {
		var zero Res
		a.gone, a.value = true, zero
		delete(c.all, key)
	}
}
