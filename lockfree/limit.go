package lockfree

import "sync/atomic"

// limit keeps a bounded queue's length at or below its capacity.
//
// An enqueue compares the ticket that it is about to take with until: an earlier
// head plus the capacity, so at most as much as there is room for. A ticket that is
// not below until may fit all the same. The enqueue then looks at the true head. If
// even that leaves no room, it counts the values: a ticket whose producer has stalled
// before it published may yet be passed over, and a queue that holds fewer values
// than its capacity must not be reported full. Counting passes over such producers
// itself. It remembers in counted how far every ticket has a value, so that it looks
// at each ticket once.
type limit struct {
	until   atomic.Uint64 // tickets before it fit: some earlier head + capacity
	counted atomic.Uint64 // tickets from head to here all have values
}

// room returns how many tickets may be taken from t on, where t is the next one to
// be given. It is exact if t is still the next afterwards: heads only grow.
func (l *list[T]) room(t uint64) int64 {
	if n := int64(l.limit.until.Load() - t); n > 0 {
		return n / one
	}
	return l.roomSlow(t)
}

func (l *list[T]) roomSlow(t uint64) int64 {
	for {
		r, h := l.front()
		until := h + l.capacity
		step(limitSaw)
		l.limit.until.Store(until) // an older one does no harm
		if n := int64(until - t); n > 0 {
			return n / one
		}
		step(enqFull)
		// All that count finds has been enqueued before head was read as h, since t
		// was the next ticket then, and dequeued after. So if it finds capacity
		// values, the queue was full at that moment.
		if live, ok := l.count(r, h, t); ok {
			if live >= l.capacity {
				l.highWater.note(int(l.capacity / one))
			}
			return int64(l.capacity-live) / one
		}
	}
}

// count returns how many of the tickets from h, which ring r gives, up to t have a
// value, in tickets. It fails if r was retired meanwhile.
func (l *list[T]) count(r *ring[T], h, t uint64) (live uint64, ok bool) {
	x := h
	if c := l.limit.counted.Load(); int64(c-h) > 0 {
		x = c
		if int64(t-c) < 0 {
			x = t
		}
		live = x - h
	}
	for x != t {
		end := r.tail.Load() &^ flags
		if int64(end-t) > 0 {
			end = t
		}
		for ; int64(end-x) > 0; x += one {
			switch r.settle(x) {
			case slotFull:
				live += one
			case slotBarred:
				l.barred.Add(1)
			}
		}
		if x == t {
			break
		}
		next := r.next.Load()
		if next == nil || next == r {
			return 0, false
		}
		r = next
	}
	if live == t-h {
		step(limitCounted)
		l.limit.counted.Store(t)
	}
	return live, true
}
