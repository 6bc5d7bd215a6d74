package lockfree

import (
	"sync/atomic"
	"unsafe"

	"github.com/poundlock/poundlock/internal/stats"
)

// list is a Michael–Scott queue whose nodes are rings (after Morrison and Afek,
// Fast Concurrent Queues for x86 Processors, PPoPP 2013). Queue and Bounded are
// made of it.
//
// Invariants: the rings from head to the last one are linked by next; only the
// last one may be unsealed; tail is in that chain and never behind head. A ring
// begins with the ticket its predecessor was sealed at, so tickets are unique and
// ordered over the whole queue.
//
// Linearization: an enqueue at the compare-and-swap that takes the ticket it
// publishes under (or that appends the ring that brings its value along), a
// dequeue at the one that takes its ticket, an empty dequeue at its reading of the
// ring's tail, Close at the one that sets noMore.
//
// Statistics come from tickets and from counters that are only touched where
// something went wrong, so they cost nothing where nothing does.
type list[T any] struct {
	// Read by all, written when a ring is appended or retired.
	tail     atomic.Pointer[ring[T]]
	head     atomic.Pointer[ring[T]]
	capacity uint64 // of a bounded queue, in tickets; 0: unbounded
	name     string
	first    int    // slots of the first ring; 0: firstRing
	largest  int    // most slots of a ring; 0: largestRing
	origin   uint64 // ticket of the first ring

	_     stats.Pad
	limit limit // Bounded's
	_     stats.Pad

	// Read by all, written only by those who wait.
	notEmpty waiters
	notFull  waiters
	_        stats.Pad

	enqGov governor
	_      stats.Pad
	deqGov governor
	_      stats.Pad

	barred    atomic.Uint64 // tickets taken by an enqueue, then passed over
	skipped   atomic.Uint64 // tickets passed over before anybody took them
	passed    atomic.Uint64 // of both, those that head is past
	dropped   atomic.Uint64 // by enqueueDropOldest
	highWater peak
}

func (l *list[T]) set(o options) { l.name, l.first, l.largest = o.name, o.first, o.largest }

// init makes the first ring of a list that is a zero value.
func (l *list[T]) init() {
	first, largest := l.first, l.largest
	if first == 0 {
		first = firstRing
	}
	if largest == 0 {
		largest = largestRing
	}
	if l.head.Load() == nil {
		l.head.CompareAndSwap(nil, newRing[T](l.origin, slotsFor[T](min(first, largest))))
	}
	// Nothing moves head before tail is set: no ring can be sealed yet.
	l.tail.CompareAndSwap(nil, l.head.Load())
}

// enqueue adds v. It returns nil, ErrClosed or ErrFull.
//
// The straight path is written out, without a loop: BenchmarkPair is a quarter
// slower when it is part of the loop in enqueueSlow.
func (l *list[T]) enqueue(v T) error {
	if r := l.tail.Load(); r != nil {
		t := r.tail.Load()
		step(enqSaw)
		shift := groupShift(unsafe.Sizeof(v))
		g, p := r.groups.of(t, shift), placeOf(t, shift)
		w := g.Load()
		if t&flags|w>>p&state == 0 && uint32(w>>32) == stampOf(t, shift) {
			if l.capacity != 0 && int64(l.limit.until.Load()-t) <= 0 {
				_, err := l.enqueueSlow(v, true)
				return err
			}
			step(enqLooked)
			val := r.val(t)
			if !r.tail.CompareAndSwap(t, t+one) {
				l.enqGov.lost(t)
			} else {
				step(enqTook)
				*val = v
				step(enqWrote)
				if g.CompareAndSwap(w, w|full<<p) || r.publish(t) {
					step(enqPublished)
					if l.notEmpty.unclaimed.Load() > 0 || t&(sampleEvery*one-1) == 0 {
						l.enqueued(t, 1)
					}
					return nil
				}
			}
		}
	}
	_, err := l.enqueueSlow(v, l.capacity != 0)
	return err
}

// enqueueSlow adds v, also to a queue that is full unless limited, and returns its ticket.
func (l *list[T]) enqueueSlow(v T, limited bool) (uint64, error) {
	lost := 1 // the fast path may have
	for {
		r := l.tail.Load()
		if r == nil {
			l.init()
			continue
		}
		t := r.tail.Load()
		if t&noMore == noMore {
			return 0, l.refuse(t &^ flags)
		}
		if limited && l.room(t&^flags) <= 0 {
			return 0, ErrFull
		}
		if t&sealed != 0 {
			if n := l.grow(r, t&^flags, 1); n != nil {
				n.fill([]T{v})
				if l.link(r, n) {
					l.enqueued(n.base, 1)
					return n.base, nil
				}
			}
			continue
		}
		step(enqSaw)
		if r.ready(t, 1) == 0 {
			l.unblock(r, t)
			continue
		}
		step(enqLooked)
		if !r.tail.CompareAndSwap(t, t+one) {
			l.enqGov.lostRun(t, 1, lost)
			lost++
			continue
		}
		if r.put(t, v) {
			step(enqPublished)
			l.enqueued(t, 1)
			return t, nil
		}
	}
}

// sampleEvery is how many tickets lie between two looks at the length.
const sampleEvery = 64

// enqueued does what follows n values published from ticket t on.
func (l *list[T]) enqueued(t uint64, n int) {
	l.notEmpty.wake(n)
	if t&(sampleEvery*one-1) < uint64(n)*one {
		l.sample()
	}
}

// unblock makes one step towards a usable slot, when that of ticket t, the next to
// be given by r, was not ready.
func (l *list[T]) unblock(r *ring[T], t uint64) {
	w, s := r.word(t).Load(), stamp[T](t)
	switch {
	case uint32(w>>32) == s:
		if w>>place[T](t)&state == empty {
			return // ready by now
		}
		// Spent, or t is old.
		step(enqSkipping)
		if r.tail.CompareAndSwap(t, t+one) {
			l.skipped.Add(1)
		}
	case behind(w, s) && !r.renew(t, w):
		// The ring is full.
		r.tail.CompareAndSwap(t, t|sealed)
		step(enqSealed)
	}
}

// grow returns a new ring to be linked after r, which was sealed at ticket t, with
// room for n values if a ring may be so large. It returns nil if the caller must
// look at the queue again.
func (l *list[T]) grow(r *ring[T], t uint64, n int) *ring[T] {
	switch next := r.next.Load(); next {
	case nil:
	case r:
		return nil // retired; tail has moved on
	default:
		l.tail.CompareAndSwap(r, next)
		return nil
	}
	largest := l.largest
	if largest == 0 {
		largest = largestRing
	}
	next := newRing[T](t, slotsFor[T](min(max(2*len(r.vals), 2*n), largest)))
	next.index = r.index + 1
	step(enqGrown)
	return next
}

// link appends next to r, unless another was.
func (l *list[T]) link(r, next *ring[T]) bool {
	if !r.next.CompareAndSwap(nil, next) {
		return false
	}
	step(enqAppended)
	l.tail.CompareAndSwap(r, next)
	return true
}

// dequeue takes the oldest value, or returns false if there is none.
func (l *list[T]) dequeue() (v T, ok bool) {
	if r := l.head.Load(); r != nil {
		h := r.head.Load()
		step(deqSaw)
		shift := groupShift(unsafe.Sizeof(v))
		g, p := r.groups.of(h, shift), placeOf(h, shift)
		w := g.Load()
		// Full, said bit by bit: one test of a bit is all that an empty queue's slot needs.
		if w&(full<<p) != 0 && w&(dead<<p) == 0 && uint32(w>>32) == stampOf(h, shift) {
			step(deqLooked)
			val := r.val(h) // found before the locked instruction, which loads wait for
			if r.head.CompareAndSwap(h, h+one) {
				step(deqTook)
				v = *val
				if r.peekers.in.Load() != 0 {
					r.keep(h)
				} else {
					var zero T
					*val = zero
					step(deqRead)
					if p != placeOf(^uint64(0), shift) {
						g.Or(free << p)
					} else if !g.CompareAndSwap(w, freed(w|free<<p, h, r.lap(), shift)) {
						r.leave(h)
					}
				}
				l.notFull.wake(1)
				return v, true
			}
			l.deqGov.lost(h)
		} else if r.tail.Load() == h { // nothing was given; else see blocked
			return v, false
		}
	}
	return l.dequeueSlow()
}

func (l *list[T]) dequeueSlow() (v T, ok bool) {
	lost := 1
	for {
		r := l.head.Load()
		if r == nil {
			return v, false
		}
		h := r.head.Load()
		step(deqSaw)
		if r.inhabited(h, 1) == 0 {
			if l.blocked(r, h) {
				return v, false
			}
			continue
		}
		step(deqLooked)
		if !r.head.CompareAndSwap(h, h+one) {
			l.deqGov.lostRun(h, 1, lost)
			lost++
			continue
		}
		v = r.take(h)
		l.notFull.wake(1)
		return v, true
	}
}

// blocked makes one step towards a value, when the slot of ticket h, the next to be
// taken from r, holds none. It reports true if the queue is empty.
func (l *list[T]) blocked(r *ring[T], h uint64) (empty bool) {
	step(deqMissed)
	t := r.tail.Load()
	if t&^flags == h {
		if t&flags == sealed {
			return l.retire(r)
		}
		return true
	}
	switch r.settle(h) {
	case slotFull:
	case slotBarred:
		l.barred.Add(1)
		fallthrough
	default: // slotSpent
		step(deqPassing)
		if r.head.CompareAndSwap(h, h+one) {
			l.passed.Add(1)
		}
	}
	return false
}

// retire moves the queue's head off r, which is sealed and drained. It reports
// true if no ring has been appended, which means that the queue is empty.
func (l *list[T]) retire(r *ring[T]) (empty bool) {
	next := r.next.Load()
	if next == nil {
		return true
	}
	if next == r {
		return false // done by another
	}
	l.tail.CompareAndSwap(r, next) // tail must not be behind head
	step(deqHelped)
	if l.head.CompareAndSwap(r, next) {
		step(deqRetired)
		r.next.Store(r)
	}
	return false
}
