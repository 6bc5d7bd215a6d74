package workerpool

// refillAll moves waiting values into the rings that have enough room for it to
// be worth the lock, or whose waiters have waited long enough; it reports whether it
// moved any.
func (d *desk[T]) refillAll() bool {
	moved := false
	for i := range d.q.levels {
		l := &d.q.levels[i]
		taken, put := l.ring.counts()
		if taken >= l.due.Load() || l.ring.n-min(put-taken, l.ring.n) >= l.quarter {
			moved = d.refill(l) || moved
		}
	}
	return moved
}

// refill moves values from l's spill and from its waiters into the ring until it is
// full, and notifies the submitters whose values it moved.
func (d *desk[T]) refill(l *level[T]) bool {
	var told [16]*waiter[T] // notified outside the lock
	moved := false
	for {
		d.mu.Lock()
		n, some := d.q.fill(l, told[:])
		more := n == len(told)
		d.mu.Unlock()
		moved = moved || some
		for _, s := range told[:n] {
			s.done <- nil
		}
		if !more {
			break
		}
	}
	if moved {
		d.published()
	}
	return moved
}
