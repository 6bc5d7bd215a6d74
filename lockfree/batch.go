package lockfree

// enqueueBatch adds vs in order and returns how many it added; all of them if the
// error is nil. A run of ready slots is taken with one compare-and-swap, and
// each group's part of it published with another.
func (l *list[T]) enqueueBatch(vs []T) (total int, err error) {
	lost := 0
	for len(vs) > 0 {
		r := l.tail.Load()
		if r == nil {
			l.init()
			continue
		}
		t := r.tail.Load()
		if t&noMore == noMore {
			return total, l.refuse(t &^ flags)
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
			n = l.putBatch(r, t, vs[:want], &lost)
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
	vs = vs[:min(len(vs), next.fresh())]
	next.fill(vs)
	if !l.link(r, next) {
		return 0
	}
	return len(vs)
}

// putBatch takes tickets from t on for as many of vs as have ready slots, and
// returns how many values it published: 0 if it lost the ticket or cleared an
// obstacle instead.
func (l *list[T]) putBatch(r *ring[T], t uint64, vs []T, lost *int) int {
	step(enqSaw)
	n := r.ready(t, min(len(vs), len(r.vals)))
	if n == 0 {
		l.unblock(r, t)
		return 0
	}
	step(enqLooked)
	end := t + uint64(n)*one
	if !r.tail.CompareAndSwap(t, end) {
		l.enqGov.lostRun(t, n, *lost)
		*lost++
		return 0
	}
	put := r.putRun(t, vs[:n])
	if put < n {
		l.barred.Add(r.withdraw(t+uint64(put+1)*one, end))
	}
	return put
}

// dequeueBatch moves values into buf until it is full or the queue is empty.
func (l *list[T]) dequeueBatch(buf []T) (total int) {
	lost := 0
	for total < len(buf) {
		r := l.head.Load()
		if r == nil {
			break
		}
		h := r.head.Load()
		step(deqSaw)
		n := r.inhabited(h, min(len(buf)-total, len(r.vals)))
		if n == 0 {
			if l.blocked(r, h) {
				break
			}
			continue
		}
		step(deqLooked)
		if !r.head.CompareAndSwap(h, h+uint64(n)*one) {
			l.deqGov.lostRun(h, n, lost)
			lost++
			continue
		}
		r.takeRun(h, buf[total:total+n])
		total += n
		l.notFull.wake(n)
	}
	return total
}
