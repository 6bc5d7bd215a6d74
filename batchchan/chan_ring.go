package batchchan

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// ring is a bounded MPMC queue after D. Vyukov's, with tickets that carry lap
// and index, as in crossbeam's ArrayQueue, so that the capacity is exact and
// needs no division. A sender owns the slot of the ticket that it took from tail,
// a receiver that of the one from head; a slot's stamp says whose turn it is:
//
//	stamp == ticket      free for the sender with that ticket
//	stamp == ticket + 1  holds its item, for the receiver with that ticket
//
// The top bit of tail is set by close. From then on no ticket is taken, so tail
// says exactly what was sent, and head what was received: the counters are free.
//
// Unlike Vyukov's queue it is linearizable with try operations: a receiver that
// finds its slot not yet filled looks at tail, and if a ticket was taken it waits
// for that sender (a few instructions) instead of saying "empty" while a later
// item may already be complete. The same holds for "full".
type ring[T any] struct {
	_        stats.Pad
	tail     atomic.Uint64
	_        [stats.Line - 8]byte
	head     atomic.Uint64
	_        [stats.Line - 8]byte
	slots    []slot[T]
	ats      []time.Duration // when the items of sampled tickets came; owned like their slots
	capacity int
	lap      uint64 // distance between tickets of one slot: a power of two above capacity
	sample   uint64 // tickets with these bits 0 are timed and counted for the high-water mark
	base     time.Time
	wait     stats.Histogram
	high     atomic.Int64
}

type slot[T any] struct {
	stamp atomic.Uint64
	item  T
}

const closedBit = 1 << 63

// outcome is what an operation on a ring came to.
type outcome uint8

const (
	done outcome = iota
	blocked
	closed
)

func (r *ring[T]) init(capacity int) {
	r.capacity = capacity
	r.lap = 1
	for r.lap <= uint64(capacity) {
		r.lap *= 2
	}
	// One in 64 to 128, also where the index alone has no six bits.
	r.sample = 63
	if r.lap < 64 {
		r.sample = 127
	}
	r.slots = make([]slot[T], capacity)
	r.ats = make([]time.Duration, capacity/64+1)
	for i := range r.slots {
		r.slots[i].stamp.Store(uint64(i))
	}
	r.base = time.Now()
}

// after returns the ticket after t.
func (r *ring[T]) after(t uint64) uint64 {
	if i := t & (r.lap - 1); i+1 < uint64(r.capacity) {
		return t + 1
	}
	return t&^(r.lap-1) + r.lap
}

// plus returns the ticket n after t; n is at most the capacity.
func (r *ring[T]) plus(t uint64, n int) uint64 {
	i := t&(r.lap-1) + uint64(n)
	t &^= r.lap - 1
	if i >= uint64(r.capacity) {
		i -= uint64(r.capacity)
		t += r.lap
	}
	if i >= uint64(r.capacity) {
		i -= uint64(r.capacity)
		t += r.lap
	}
	return t + i
}

// count returns how many tickets are before t.
func (r *ring[T]) count(t uint64) uint64 {
	t &^= closedBit
	return t/r.lap*uint64(r.capacity) + t&(r.lap-1)
}

func (r *ring[T]) send(item T) outcome {
	for spin := 0; ; spin++ {
		t := r.tail.Load()
		if t >= closedBit {
			return closed
		}
		s := &r.slots[t&(r.lap-1)]
		stamp := s.stamp.Load()
		switch {
		case stamp == t:
			if r.tail.CompareAndSwap(t, r.after(t)) {
				s.item = item
				if t&r.sample == 0 {
					r.sent(t)
				}
				s.stamp.Store(t + 1)
				return done
			}
		case stamp < t && r.head.Load() == t-r.lap: // the item of the lap before is still there
			if r.tail.Load() == t {
				r.noteHigh(int64(r.capacity))
				return blocked
			}
		default:
			relax(spin)
		}
	}
}

func (r *ring[T]) recv(item *T) outcome {
	for spin := 0; ; spin++ {
		h := r.head.Load()
		s := &r.slots[h&(r.lap-1)]
		stamp := s.stamp.Load()
		if stamp == h+1 {
			if r.head.CompareAndSwap(h, r.after(h)) {
				r.take(s, h, item)
				return done
			}
			continue
		}
		if stamp == h {
			t := r.tail.Load()
			if t&^closedBit == h {
				if t >= closedBit {
					return closed
				}
				return blocked
			}
		}
		relax(spin)
	}
}

// take empties the slot of ticket h, which the caller owns and which is filled.
func (r *ring[T]) take(s *slot[T], h uint64, item *T) {
	*item = s.item
	var zero T
	s.item = zero
	if h&r.sample == 0 {
		r.wait.Record(time.Since(r.base) - r.ats[h&(r.lap-1)/64])
	}
	s.stamp.Store(h + r.lap)
}

// sent does what a sampled ticket is for.
func (r *ring[T]) sent(t uint64) {
	r.ats[t&(r.lap-1)/64] = time.Since(r.base)
	r.noteHigh(int64(r.count(t)+1) - int64(r.count(r.head.Load())))
}

func (r *ring[T]) noteHigh(n int64) {
	n = min(n, int64(r.capacity))
	for {
		h := r.high.Load()
		if n <= h || r.high.CompareAndSwap(h, n) {
			return
		}
	}
}

// sendMany sends as many of items as there is room for, with one ticket for all.
// The outcome is for the first that was not sent.
func (r *ring[T]) sendMany(items []T) (int, outcome) {
	for {
		t := r.tail.Load()
		if t >= closedBit {
			return 0, closed
		}
		h := r.head.Load()
		n := min(len(items), r.capacity-int(int64(r.count(t))-int64(r.count(h))))
		if n <= 0 {
			if r.tail.Load() != t {
				continue // t and h are not of one moment
			}
			return 0, blocked
		}
		if n > r.capacity || !r.tail.CompareAndSwap(t, r.plus(t, n)) {
			continue
		}
		for _, item := range items[:n] {
			s := &r.slots[t&(r.lap-1)]
			for spin := 0; s.stamp.Load() != t; spin++ {
				relax(spin) // the receiver of the lap before is about to leave
			}
			s.item = item
			if t&r.sample == 0 {
				r.sent(t)
			}
			s.stamp.Store(t + 1)
			t = r.after(t)
		}
		if n < len(items) {
			return n, blocked
		}
		return n, done
	}
}

// recvMany receives as many items as are there and dst holds, with one ticket
// for all.
func (r *ring[T]) recvMany(dst []T) int {
	for {
		h := r.head.Load()
		t := r.tail.Load()
		n := min(len(dst), int(int64(r.count(t))-int64(r.count(h))))
		if n <= 0 {
			return 0
		}
		if n > r.capacity { // t is of a later moment than h
			continue
		}
		if !r.head.CompareAndSwap(h, r.plus(h, n)) {
			continue
		}
		for i := range n {
			s := &r.slots[h&(r.lap-1)]
			for spin := 0; s.stamp.Load() != h+1; spin++ {
				relax(spin) // its sender is about to fill it
			}
			r.take(s, h, &dst[i])
			h = r.after(h)
		}
		return n
	}
}

// relax waits for another goroutine that is between two instructions of its own,
// unless it was preempted there.
func relax(spin int) {
	if spin >= 16 {
		runtime.Gosched()
	}
}

func (r *ring[T]) close() bool {
	return r.tail.Or(closedBit)&closedBit == 0
}

func (r *ring[T]) isClosed() bool { return r.tail.Load() >= closedBit }

func (r *ring[T]) len() int {
	for {
		t := r.tail.Load()
		h := r.head.Load()
		if r.tail.Load()&^closedBit == t&^closedBit {
			return int(max(int64(r.count(t))-int64(r.count(h)), 0))
		}
	}
}
