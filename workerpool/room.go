package workerpool

import "time"

func (d *desk[T]) putRing(l *level[T], v T) error {
	switch l.ring.put(v, 0, d.q.clock, false) {
	case putOK:
		d.published()
		return nil
	case putClosed:
		return ErrClosed
	}
	return ErrFull
}

// submitGrowing appends to the spill as long as that is not empty, which keeps
// the order, and to the ring otherwise.
func (d *desk[T]) submitGrowing(l *level[T], v T) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return ErrClosed
	}
	if l.spill.len == 0 {
		if err := l.ring.put(v, 0, d.q.clock, false); err == putOK {
			d.mu.Unlock()
			d.published()
			return nil
		}
	}
	d.overflow(l, v)
	return nil
}

// overflow accepts v outside of l's ring and releases mu, which the caller holds.
func (d *desk[T]) overflow(l *level[T], v T) {
	it := item[T]{v, d.q.clock.sample(uint64(d.q.outside))}
	if d.grows {
		l.spill.push(it)
		d.q.setOutside(1)
	} else {
		d.q.awaitAccepted(l, it)
	}
	d.mu.Unlock()
	// A worker that emptied the ring before it could see someOutside has not
	// refilled it.
	if l.ring.free() >= l.quarter {
		d.refill(l)
	}
}

// force accepts v even where the pool is full or closed, for work that was
// accepted already in another place. It does not after an expired Shutdown: false.
func (d *desk[T]) force(l *level[T], v T) bool {
	d.mu.Lock()
	switch {
	case d.expired:
		d.mu.Unlock()
		return false
	case !d.direct:
		d.overflow(l, v)
	case d.crew.reserve() != noWorker:
		d.handOver(l, d.q.pass(v))
	default: // the next worker that ends its task finds it
		d.q.awaitAccepted(l, item[T]{val: v})
		d.mu.Unlock()
	}
	return true
}

// findRoom accepts v into level l although its ring is full, or returns ErrFull:
// workers without a task are room. Where a worker is at the queue that has no task yet, or
// has it just now, it waits for that.
func (d *desk[T]) findRoom(l *level[T], v T) error {
	for tries := 0; ; tries++ {
		before, _ := l.ring.counts()
		came, _ := d.crew.arriving.load()
		if err := d.tryRoom(l, v); err != ErrFull || tries == arrivalYields+arrivalSleeps {
			return err
		}
		now, _ := l.ring.counts()
		if mark, some := d.crew.arriving.load(); now == before && mark == came && !some {
			return ErrFull
		}
		awaitOthers(tries) // a worker is active but has taken its task just now, or is about to
	}
}

// awaitOthers gives another goroutine, which is about to do what the caller has looked for
// tries times, the time for it.
func awaitOthers(tries int) {
	if tries < arrivalYields {
		yield()
	} else { // it has lost its core: yields go by in less time than that takes
		time.Sleep(arrivalSleep)
	}
}

// These bound how long a submission waits for workers that have come to the queue: a
// millisecond or so, or ten where other processes have the cores.
const (
	arrivalYields = 1000
	arrivalSleeps = 100
	arrivalSleep  = 100 * time.Microsecond
)

// tryRoom is one look for room beyond what the ring has.
func (d *desk[T]) tryRoom(l *level[T], v T) error {
	if !d.crew.spare() {
		return d.putRing(l, v)
	}
	d.mu.Lock()
	switch {
	case d.closed:
		d.mu.Unlock()
		return ErrClosed
	case l.waiters.len() > l.waiters.accepted: // submitters wait: it is their turn
		d.mu.Unlock()
		return ErrFull
	case l.waiters.len() == 0 && l.ring.put(v, 0, d.q.clock, true) == putOK:
		d.mu.Unlock()
		d.published()
		return nil
	}
	how := d.crew.reserve()
	if how == noWorker {
		return d.owe(l, v)
	}
	// The worker gets the oldest task, v the place of the last.
	gift, given := l.ring.evict()
	if l.waiters.len() > 0 {
		_, _ = d.q.fill(l, make([]*waiter[T], 1)) // the value that moves has no submitter to notify
	}
	accepted := l.waiters.len() == 0 && l.ring.put(v, 0, d.q.clock, true) == putOK
	if !accepted {
		d.q.awaitFirst(l, item[T]{v, d.q.clock.sample(uint64(d.q.outside))})
	}
	d.crew.send(how, gift, given)
	d.published()
	return nil
}

// owe accepts v where fewer values wait for them than there are workers that have no
// task and are reserved by nobody: those that search, or are on their way to or
// from their sleep, and will look at the queue. It releases mu, which the caller
// holds.
func (d *desk[T]) owe(l *level[T], v T) error {
	if d.crew.between() <= d.q.outside+d.q.nested.len {
		d.mu.Unlock()
		return ErrFull
	}
	d.q.awaitFirst(l, item[T]{v, d.q.clock.sample(uint64(d.q.outside))})
	d.mu.Unlock()
	if l.ring.free() >= l.quarter {
		d.refill(l) // see overflow
	}
	d.published()
	return nil
}

// replaceOldest accepts v, in the place of the oldest value of l's ring if that is full,
// which it then returns. ErrFull means that the caller should try again, and that nothing
// has been taken out: a place is about to come free. It happens under mu, so that a closing
// pool is neither emptied nor made to lose a task for one that it refuses, and what
// follows a view's dropped task does not take the place instead.
func (d *desk[T]) replaceOldest(l *level[T], v T) (old T, evicted bool, err error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return old, false, ErrClosed
	}
	var told [16]*waiter[T]
	n, _ := d.q.fill(l, told[:]) // a place that is free by itself is theirs
	put := false
	if n < len(told) {
		if put = l.ring.put(v, 0, d.q.clock, true) == putOK; !put {
			old, evicted = d.q.replace(l, v)
			put = evicted
		}
	}
	d.mu.Unlock()
	for _, s := range told[:n] {
		s.done <- nil
	}
	if !put {
		return old, false, ErrFull
	}
	d.published()
	return old, evicted, nil
}

// await has v wait for room in l, and returns what its submitter waits with: the
// result comes at done. Without one, v has been accepted or refused already.
func (d *desk[T]) await(l *level[T], v T) (*waiter[T], error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, ErrClosed
	}
	if d.direct && l.waiters.len() == 0 && d.crew.reserve() != noWorker {
		d.handOver(l, d.q.pass(v))
		return nil, nil
	}
	s := d.q.await(l, v)
	d.mu.Unlock()
	if d.direct {
		d.matchBlocked() // a worker may have gone idle before it could see s
	} else if l.ring.free() >= l.quarter {
		d.refill(l) // see overflow
	}
	return s, nil
}

// unwait takes s out of l's waiters. It returns false if its result is there already, or
// will be at once.
func (d *desk[T]) unwait(l *level[T], s *waiter[T]) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.queued() {
		return false
	}
	d.q.unwait(l, s)
	return true
}

// recycle takes back what await returned.
func (d *desk[T]) recycle(l *level[T], s *waiter[T]) {
	d.mu.Lock()
	l.waiters.recycle(s)
	d.mu.Unlock()
}
