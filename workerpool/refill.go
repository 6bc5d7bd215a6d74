package workerpool

// refillAll moves waiting values into the rings that have enough room for it to
// be worth the lock, or whose waiters have waited long enough; it reports whether it
// moved any.
func (c *core[T]) refillAll() bool {
	moved := false
	for i := range c.q.levels {
		l := &c.q.levels[i]
		taken, put := l.ring.counts()
		if taken >= l.due.Load() || l.ring.n-min(put-taken, l.ring.n) >= l.quarter {
			moved = c.refill(l) || moved
		}
	}
	return moved
}

// refill moves values from l's spill and from its waiters into the ring until it is
// full, and tells the submitters that waited.
func (c *core[T]) refill(l *level[T]) bool {
	var told [16]*waiter[T] // told outside the lock
	moved := false
	for {
		c.mu.Lock()
		n, some := c.q.fill(l, told[:])
		more := n == len(told)
		c.mu.Unlock()
		moved = moved || some
		for _, s := range told[:n] {
			s.done <- nil
		}
		if !more {
			break
		}
	}
	if moved {
		c.published()
	}
	return moved
}
