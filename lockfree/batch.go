package lockfree

import "unsafe"

// enqueueBatch adds vs in order and returns how many it added; all of them if the
// error is nil. A run of ready slots is taken with one compare-and-swap, and
// each group's part of it published with another.
func (l *list[T]) enqueueBatch(vs []T) (total int, err error) {
	total = l.enqueueFew(vs)
	if total == len(vs) {
		return total, nil
	}
	n, err := l.enqueueMany(vs[total:])
	return total + n, err
}

// enqueueFew is the straight path of a batch whose slots are in one group, as that of
// one value is in enqueue: a batch of 8 takes two thirds of the time. It returns how
// many values it added, which is none if anything was in the way.
func (l *list[T]) enqueueFew(vs []T) int {
	var v T
	shift, n := groupShift(unsafe.Sizeof(v)), uint64(len(vs))
	r := l.tail.Load()
	if r == nil || n == 0 || n > 1<<shift {
		return 0
	}
	t := r.tail.Load()
	step(enqSaw)
	p := placeOf(t, shift)
	if t&flags != 0 || p+2*n > 2<<shift {
		return 0
	}
	g, ones := r.groups.of(t, shift), statesOf(p, n)
	w := g.Load()
	if w&(ones*state) != 0 || uint32(w>>32) != stampOf(t, shift) ||
		l.capacity != 0 && int64(l.limit.until.Load()-t) < int64(n*one) {
		return 0
	}
	step(enqLooked)
	vals := r.run(t, len(vs))
	if !r.tail.CompareAndSwap(t, t+n*one) {
		l.enqGov.lostRun(t, len(vs), 0)
		return 0
	}
	step(enqTook)
	copy(vals, vs)
	step(enqWrote)
	put := len(vs)
	if !g.CompareAndSwap(w, w|full*ones) {
		put = l.putTaken(r, t, vs)
	}
	step(enqPublished)
	if l.notEmpty.unclaimed.Load() > 0 || t&(sampleEvery*one-1) < n*one {
		l.enqueued(t, put)
	}
	return put
}

func (l *list[T]) enqueueMany(vs []T) (total int, err error) {
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
	if !r.tail.CompareAndSwap(t, t+uint64(n)*one) {
		l.enqGov.lostRun(t, n, *lost)
		*lost++
		return 0
	}
	return l.putTaken(r, t, vs[:n])
}

// putTaken writes and publishes vs under the tickets from t on, which the caller
// took. It returns how many it published: fewer if a ticket was passed over.
func (l *list[T]) putTaken(r *ring[T], t uint64, vs []T) int {
	put := r.putRun(t, vs)
	if put < len(vs) {
		l.barred.Add(r.withdraw(t+uint64(put+1)*one, t+uint64(len(vs))*one))
	}
	return put
}

// dequeueBatch moves values into buf until it is full or the queue is empty.
func (l *list[T]) dequeueBatch(buf []T) (total int) {
	if l.dequeueFew(buf) {
		return len(buf)
	}
	return l.dequeueMany(buf)
}

// dequeueFew is the straight path of a full buffer from one group. It reports false,
// having done nothing, if anything is in the way.
func (l *list[T]) dequeueFew(buf []T) bool {
	var v T
	shift, n := groupShift(unsafe.Sizeof(v)), uint64(len(buf))
	r := l.head.Load()
	if r == nil || n == 0 || n > 1<<shift {
		return false
	}
	h := r.head.Load()
	step(deqSaw)
	p := placeOf(h, shift)
	if p+2*n > 2<<shift {
		return false
	}
	g, ones := r.groups.of(h, shift), statesOf(p, n)
	w := g.Load()
	if w&(ones*state) != full*ones || uint32(w>>32) != stampOf(h, shift) {
		return false
	}
	step(deqLooked)
	vals := r.run(h, len(buf))
	if !r.head.CompareAndSwap(h, h+n*one) {
		l.deqGov.lostRun(h, len(buf), 0)
		return false
	}
	if r.peekers.in.Load() != 0 {
		r.takeRun(h, buf)
	} else {
		step(deqTook)
		copy(buf, vals)
		clear(vals)
		step(deqRead)
		if !g.CompareAndSwap(w, freed(w|free*ones, h+(n-1)*one, r.lap(), shift)) {
			r.leaveRun(h, len(buf))
		}
	}
	l.notFull.wake(len(buf))
	return true
}

func (l *list[T]) dequeueMany(buf []T) (total int) {
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
