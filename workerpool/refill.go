package workerpool

import "math"

// refillAll moves waiting values into the rings that have enough room for it to
// be worth the lock, or whose waiters have waited long enough; it reports whether it
// moved any.
func (c *core[T]) refillAll() bool {
	moved := false
	for i := range c.levels {
		l := &c.levels[i]
		taken, put := l.ring.counts()
		if taken >= l.due.Load() || l.ring.n-min(put-taken, l.ring.n) >= l.quarter {
			moved = c.refill(l) || moved
		}
	}
	return moved
}

// refill moves values from l's spill and from its waiters into the ring until it is
// full, and tells those who wait for that.
func (c *core[T]) refill(l *level[T]) bool {
	var told [16]*waiter[T] // told outside the lock
	moved := false
	for {
		c.mu.Lock()
		n, some := c.fill(l, told[:])
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

// fill moves what it can and returns the number of submitters that it has put into
// told, to be told outside of mu, and whether it moved any value. It stops when told
// is full. The caller holds mu.
//
// Others that submit may take free places before the waiters, which keeps a full
// queue busy. But when as many tasks have been taken as the queue has places, and a
// waiter is still there, the ring is barred to all others for as many of the waiters.
func (c *core[T]) fill(l *level[T], told []*waiter[T]) (n int, moved bool) {
	for l.spill.len > 0 {
		it := l.spill.peek()
		if l.ring.put(it.val, measured(it.at), &c.clock, true) != putOK {
			return n, moved
		}
		l.spill.pop()
		c.setOutside(-1)
		moved = true
	}
	if taken, _ := l.ring.counts(); l.waiters.len() > 0 && taken >= l.due.Load() && !l.ring.barred() {
		l.ring.bar()
		l.grants = min(l.waiters.len(), int(l.ring.n))
		l.due.Store(0) // each take looks now
	}
	for l.waiters.len() > 0 && n < len(told) {
		s := l.waiters.oldest()
		at := int64(0)
		if s.accepted {
			at = measured(s.at)
		}
		if l.ring.put(s.val, at, &c.clock, true) != putOK {
			return n, moved
		}
		moved = true
		if !s.accepted {
			told[n] = s
			n++
		}
		c.unwait(l, s)
		if l.grants--; l.ring.barred() && l.grants <= 0 {
			l.ring.unbar()
			l.setDue()
		}
	}
	return n, moved
}

// measured is at for ring.put: a value whose wait began earlier is not measured from
// now on.
func measured(at int64) int64 {
	if at == 0 {
		return untimed
	}
	return at
}

// setDue gives others as many places of the ring as it has before they are barred.
// The pool's mutex is held.
func (l *level[T]) setDue() {
	if l.waiters.len() == 0 {
		l.due.Store(notDue)
		return
	}
	taken, _ := l.ring.counts()
	l.due.Store(taken + l.ring.n)
}

// await appends v to l's waiters. The caller holds mu.
func (c *core[T]) await(l *level[T], v T) *waiter[T] {
	s := l.waiters.push(v)
	c.joined(l)
	return s
}

// awaitAccepted is await for a value that has been accepted already.
func (c *core[T]) awaitAccepted(l *level[T], it item[T]) {
	l.waiters.pushAccepted(it)
	c.joined(l)
}

func (c *core[T]) joined(l *level[T]) {
	c.setOutside(1)
	if l.waiters.len() == 1 && !l.ring.barred() {
		l.setDue()
	}
}

// unwait takes s out of l's waiters. The caller holds mu.
func (c *core[T]) unwait(l *level[T], s *waiter[T]) {
	l.waiters.remove(s)
	c.setOutside(-1)
	if l.waiters.len() == 0 {
		l.ring.unbar()
		l.setDue()
	}
}

// setOutside changes the number of values outside the rings and keeps alertWaiting
// equal to "not zero". The caller holds mu.
func (c *core[T]) setOutside(d int) {
	was := c.outside
	c.outside += d
	switch {
	case was == 0 && c.outside > 0:
		c.alert.Or(alertWaiting)
	case was > 0 && c.outside == 0:
		c.alert.And(math.MaxUint32 &^ alertWaiting)
	}
}
