package workerpool

// The values of queues that are outside of the rings. The pool's mutex is held in all
// of these.

// fill moves as many values as fit into the ring. It puts the submitters of those that it
// let in into told, for the caller to notify once the mutex is released, and stops when told
// is full. It returns how many it put there, and whether it moved any value.
//
// Others that submit may take free places before the waiters, which keeps a full
// queue busy. But when as many tasks have been taken as the queue has places, and a
// waiter is still there, the ring is barred to all others for as many of the waiters.
func (q *queues[T]) fill(l *level[T], told []*waiter[T]) (n int, moved bool) {
	for l.spill.len > 0 {
		it := l.spill.peek()
		if l.ring.put(it.val, measured(it.at), q.clock, true) != putOK {
			return n, moved
		}
		l.spill.pop()
		q.setOutside(-1)
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
		if l.ring.put(s.val, at, q.clock, true) != putOK {
			return n, moved
		}
		moved = true
		if !s.accepted {
			told[n] = s
			n++
		}
		q.unwait(l, s)
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

// close refuses further values and returns the submitters that wait.
func (q *queues[T]) close() (refused []*waiter[T]) {
	for i := range q.levels {
		l := &q.levels[i]
		l.ring.close()
		subs := l.waiters.takeSubmitters()
		q.setOutside(-len(subs))
		if l.waiters.len() == 0 {
			l.ring.unbar()
			l.setDue()
		}
		refused = append(refused, subs...)
	}
	return refused
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

// await appends v to l's waiters.
func (q *queues[T]) await(l *level[T], v T) *waiter[T] {
	s := l.waiters.push(v)
	q.joined(l)
	return s
}

// awaitAccepted is await for a value that has been accepted already.
func (q *queues[T]) awaitAccepted(l *level[T], it item[T]) {
	l.waiters.pushAccepted(it)
	q.joined(l)
}

func (q *queues[T]) joined(l *level[T]) {
	q.setOutside(1)
	if l.waiters.len() == 1 && !l.ring.barred() {
		l.setDue()
	}
}

// unwait takes s out of l's waiters.
func (q *queues[T]) unwait(l *level[T], s *waiter[T]) {
	l.waiters.remove(s)
	q.setOutside(-1)
	if l.waiters.len() == 0 {
		l.ring.unbar()
		l.setDue()
	}
}

// setOutside changes the number of values outside the rings and keeps someOutside
// equal to "not zero".
func (q *queues[T]) setOutside(d int) {
	q.outside += d
	q.set(someOutside, q.outside > 0)
}

// awaitFirst is awaitAccepted for a value that nobody may pass on the way into the
// ring.
func (q *queues[T]) awaitFirst(l *level[T], it item[T]) {
	l.ring.bar()
	l.grants = l.waiters.len() + 1
	l.due.Store(0)
	q.awaitAccepted(l, it)
}

// evict takes the oldest value out of l's ring and books it as dropped.
func (q *queues[T]) evict(l *level[T]) (v T, ok bool) {
	it, ok := l.ring.evict()
	if ok {
		q.dropped.Add(1)
	}
	return it.val, ok
}

// replace accepts v in the place of the oldest value of l's full ring, and books that as
// dropped. It returns false where the ring is not full.
func (q *queues[T]) replace(l *level[T], v T) (old T, ok bool) {
	if old, ok = l.ring.replace(v, q.clock); ok {
		q.dropped.Add(1)
	}
	return old, ok
}

// dropNew books a value as one that was accepted and dropped at once.
func (q *queues[T]) dropNew() {
	q.dropped.Add(1)
	q.noTicket.Add(1)
}

// evictAny is evict for all values of l and those of nested. Where it finds none,
// empty says whether there will be none: a producer may have a ticket and not have
// stored its value yet.
func (q *queues[T]) evictAny(l *level[T]) (v T, ok, empty bool) {
	if v, ok = q.evict(l); ok {
		return v, true, false
	}
	if v, ok = q.evictOutside(l); ok {
		q.dropNew()
		return v, true, false
	}
	taken, put := l.ring.counts()
	return v, false, taken == put
}

// evictOutside removes the oldest value of nested, or else of those of l's values that
// are not in the ring. All that wait are accepted: the others were refused.
func (q *queues[T]) evictOutside(l *level[T]) (v T, ok bool) {
	switch {
	case q.nested.len > 0:
		v = q.nested.pop().val
		q.flagNested()
	case l.waiters.len() > 0:
		s := l.waiters.oldest()
		v = s.val
		q.unwait(l, s)
	case !q.direct && l.spill.len > 0: // without a queue its values have workers
		v = l.spill.pop().val
		q.setOutside(-1)
	default:
		return v, false
	}
	return v, true
}

// pass books v as one that goes to a worker past the rings.
func (q *queues[T]) pass(v T) item[T] { return item[T]{v, q.clock.sample(q.passed.Add(1))} }

// popNested takes the oldest value out of nested and books it as taken. The caller
// holds mu.
func (q *queues[T]) popNested() item[T] {
	it := q.nested.pop()
	q.passed.Add(1)
	q.flagNested()
	return it
}

func (q *queues[T]) flagNested() { q.set(someNested, q.nested.len > 0 && !q.held) }

// nextDirect removes the value that waits for a worker next, and returns it with its
// submitter, which the caller notifies, if it has one.
func (q *queues[T]) nextDirect(l *level[T]) (it item[T], s *waiter[T]) {
	if q.nested.len > 0 {
		return q.popNested(), nil
	}
	s = l.waiters.oldest()
	v, accepted := s.val, s.accepted
	q.unwait(l, s)
	if accepted {
		s = nil
	}
	return q.pass(v), s
}
