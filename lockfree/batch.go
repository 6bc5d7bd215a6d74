package lockfree

// enqueueBatch adds vs in order and returns how many it added; all of them if the
// error is nil. A run of ready slots is taken with one compare-and-swap, so a
// batch costs little more than half of what its values would cost one by one.
func (l *list[T]) enqueueBatch(vs []T) (total int, err error) {
	for len(vs) > 0 {
		r := l.tail.Load()
		if r == nil {
			l.init()
			continue
		}
		t := r.tail.Load()
		if t&noMore == noMore {
			return total, ErrClosed
		}
		want := len(vs)
		if l.capacity != 0 {
			room := l.room(t &^ flags)
			if room <= 0 {
				return total, ErrFull
			}
			want = int(min(int64(want), room))
		}
		n := 0
		if t&sealed != 0 {
			n = l.appendBatch(r, t&^flags, vs[:want])
		} else {
			n = l.putBatch(r, t, vs[:want])
		}
		if n > 0 {
			step(enqPublished)
			l.enqueued(t&^flags, n)
			vs = vs[n:]
			total += n
		}
	}
	return total, nil
}

// appendBatch appends a ring that holds the first values of vs, and returns how
// many these are: 0 if another ring was appended.
func (l *list[T]) appendBatch(r *ring[T], t uint64, vs []T) int {
	next := l.grow(r, t, len(vs))
	if next == nil {
		return 0
	}
	n := min(len(vs), len(next.slots))
	next.fill(vs[:n]...)
	if !l.link(r, next) {
		return 0
	}
	return n
}

// putBatch takes tickets from t on for as many of vs as have ready slots, and
// returns how many values it published: 0 if it lost the ticket or cleared an
// obstacle instead.
func (l *list[T]) putBatch(r *ring[T], t uint64, vs []T) int {
	n := r.ready(t, min(len(vs), len(r.slots)), 0)
	if n == 0 {
		s := r.at(t)
		if w := s.seq.Load(); w != t {
			l.unblock(r, s, t, w)
		}
		return 0
	}
	step(enqLooked)
	end := t + uint64(n)*one
	if !r.tail.CompareAndSwap(t, end) {
		l.enqGov.lost(t)
		return 0
	}
	for i := range n {
		x := t + uint64(i)*one
		if !r.put(r.at(x), x, vs[i]) {
			// Values must not overtake one another: the rest goes with this one.
			l.withdraw(r, x+one, end)
			return i
		}
	}
	return n
}

// withdraw gives up the tickets from t to end, which the caller took and has not
// used.
func (l *list[T]) withdraw(r *ring[T], t, end uint64) {
	for ; t != end; t += one {
		s := r.at(t)
		if s.seq.CompareAndSwap(t, t+r.lap) {
			l.barred.Add(1)
		} else {
			r.leave(s)
		}
	}
}

// ready returns how many of the n slots from ticket t on have the given state of
// their tickets, up to the first that has not.
func (r *ring[T]) ready(t uint64, n int, state uint64) int {
	for i := range n {
		x := t + uint64(i)*one
		if r.at(x).seq.Load() != x|state {
			return i
		}
	}
	return n
}

// dequeueBatch moves values into buf until it is full or the queue is empty.
func (l *list[T]) dequeueBatch(buf []T) (total int) {
	for total < len(buf) {
		r := l.head.Load()
		if r == nil {
			break
		}
		h := r.head.Load()
		n := r.ready(h, min(len(buf)-total, len(r.slots)), full)
		if n == 0 {
			if l.blocked(r, r.at(h), h) {
				break
			}
			continue
		}
		step(deqLooked)
		if !r.head.CompareAndSwap(h, h+uint64(n)*one) {
			l.deqGov.lost(h)
			continue
		}
		for i := range n {
			x := h + uint64(i)*one
			buf[total+i] = r.take(r.at(x), x)
		}
		total += n
		l.notFull.wake(n)
	}
	return total
}
