package lockfree

// close refuses further tickets.
func (l *list[T]) close() {
	for {
		r := l.tail.Load()
		if r == nil {
			l.init()
			continue
		}
		t := r.tail.Load()
		step(closing)
		switch {
		case t&noMore == noMore:
			// Closed; make sure that the waiters know.
			_ = l.refuse(t &^ flags)
		case t&sealed != 0:
			// The next ring, appended by somebody or by us, is the one to close.
			if n := l.grow(r, t&^flags, 0); n != nil {
				n.tail.Store(n.base | noMore)
				if !l.link(r, n) {
					continue
				}
				_ = l.refuse(n.base)
				break
			}
			continue
		case !r.tail.CompareAndSwap(t, t|noMore):
			continue
		default:
			step(closedTail)
			_ = l.refuse(t)
		}
		step(closed)
		l.notEmpty.wakeAll()
		l.notFull.wakeAll()
		return
	}
}

// isClosed reports whether enqueues are refused.
func (l *list[T]) isClosed() bool {
	for {
		r := l.tail.Load()
		if r == nil {
			return false
		}
		if t := r.tail.Load(); t&sealed == 0 || t&noMore == noMore {
			if t&noMore == noMore {
				_ = l.refuse(t &^ flags)
				return true
			}
			return false
		}
		next := r.next.Load()
		if next == nil {
			return false
		}
		l.tail.CompareAndSwap(r, next)
	}
}

// isOver reports whether the queue is closed and drained.
func (l *list[T]) isOver() bool {
	if !l.isClosed() {
		return false
	}
	r, h := l.front()
	return r != nil && r.tail.Load() == h|noMore
}
