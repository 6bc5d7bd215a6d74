package workerpool

import (
	"slices"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/stats"
)

// ring is a bounded FIFO queue for many producers and consumers: Dmitry Vyukov's
// bounded MPMC queue (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue),
// with tickets that double as the pool's counters: tail is the number of tasks
// ever put in, head the number ever taken out.
//
// A slot's seq is 2t when it is free for ticket t and 2t+1 when it holds ticket
// t's value, which keeps the two apart even in a ring of one slot. The flag bits
// in tail (closed, barred) and head (paused) make every ticket compare unequal, so the
// fast paths need no look of their own at them.
type ring[T any] struct {
	slots []slot[T]
	mask  uint64 // len(slots)-1 where that is a power of two, else 0
	n     uint64 // len(slots)
	_     stats.Pad
	tail  atomic.Uint64
	_     [stats.Line - 8]byte
	head  atomic.Uint64
	_     [stats.Line - 8]byte
}

// slot is not padded: neighbours are on one cache line, but seq is written only
// by the goroutine that owns the ticket. Padded slots took BenchmarkSubmit 1.3 to 1.7 times as
// long on two cores, a permuted index 1.2 to 1.6 times.
type slot[T any] struct {
	seq atomic.Uint64
	at  int64 // submission time of a timed task, 0 of others; owned like val
	val T
}

const (
	closedBit = 1 << 62 // in tail: put refuses
	barredBit = 1 << 61 // in tail: put finds no room, unless it is forced
	holdBit   = 1 << 62 // in head: take finds nothing
	ticket    = barredBit - 1
)

// untimed in put's at means that the value's wait is not measured.
const untimed = -1

type putResult int

const (
	putOK putResult = iota
	putFull
	putClosed
)

func (r *ring[T]) init(n int) {
	r.slots = make([]slot[T], n)
	r.n = uint64(n)
	if n&(n-1) == 0 {
		r.mask = r.n - 1
	}
	for i := range r.slots {
		r.slots[i].seq.Store(2 * uint64(i))
	}
}

func (r *ring[T]) slot(t uint64) *slot[T] {
	if r.mask != 0 {
		return &r.slots[t&r.mask]
	}
	return &r.slots[t&ticket%r.n]
}

// put appends v with the submission time at, or where that is 0 the time that
// clock gives for the ticket. force puts into a closed or barred ring too.
func (r *ring[T]) put(v T, at int64, clock *sampler, force bool) putResult {
	for {
		t := r.tail.Load()
		flags := t &^ ticket
		if force {
			t &= ticket
		}
		s := r.slot(t)
		switch seq := s.seq.Load(); {
		case seq == 2*t:
			if force {
				t |= flags
			}
			if r.tail.CompareAndSwap(t, t+1) {
				t &= ticket
				s.val = v
				switch at {
				case 0:
					at = clock.sample(t)
				case untimed:
					at = 0
				}
				s.at = at
				s.seq.Store(2*t + 1)
				return putOK
			}
		case flags&closedBit != 0 && !force:
			return putClosed
		case flags != 0 && !force:
			return putFull
		case seq < 2*t:
			return putFull
		}
	}
}

// take removes the oldest value. It finds nothing while the ring is empty, held,
// or the oldest producer has its ticket but has not stored its value yet; that
// producer will wake a worker afterwards.
func (r *ring[T]) take() (v T, at int64, ok bool) {
	for {
		h := r.head.Load()
		s := r.slot(h)
		switch seq := s.seq.Load(); {
		case seq == 2*h+1:
			if r.head.CompareAndSwap(h, h+1) {
				v, at = s.val, s.at
				var zero T
				s.val = zero // the closure must be collectable once it ran
				s.seq.Store(2 * (h + r.n))
				return v, at, true
			}
		case seq < 2*h+1:
			return v, 0, false
		}
	}
}

// evict is take that works on a held ring too. The caller holds the pool's mutex.
func (r *ring[T]) evict() (it item[T], ok bool) {
	for {
		h := r.head.Load()
		t := h & ticket
		s := r.slot(t)
		switch seq := s.seq.Load(); {
		case seq == 2*t+1:
			if r.head.CompareAndSwap(h, h+1) {
				it = item[T]{s.val, s.at}
				var zero T
				s.val = zero
				s.seq.Store(2 * (t + r.n))
				return it, true
			}
		case seq < 2*t+1:
			return it, false
		}
	}
}

// replace takes the oldest value out of a full ring and puts v in its place. It returns
// false where the ring is not full, though the slot may not be free yet that the next put
// needs: its taker has a ticket and has not emptied the slot; or where the oldest value is
// not stored yet. It works on a held and on a barred ring. The caller holds the pool's
// mutex.
func (r *ring[T]) replace(v T, clock *sampler) (old T, ok bool) {
	if r.tail.Or(barredBit)&barredBit == 0 { // so that no other value gets the place
		defer r.unbar()
	}
	tail := r.tail.Load() & ticket
	for {
		h := r.head.Load()
		t := h & ticket
		s := r.slot(t)
		if tail-t < r.n || s.seq.Load() != 2*t+1 && r.head.Load() == h {
			return old, false
		}
		if r.head.CompareAndSwap(h, h+1) { // the slot is that of ticket tail, too
			old = s.val
			s.val, s.at = v, clock.sample(tail)
			r.tail.Add(1)
			s.seq.Store(2*tail + 1)
			return old, true
		}
	}
}

// ready reports whether take would find something right now.
func (r *ring[T]) ready() bool {
	h := r.head.Load()
	return r.slot(h).seq.Load() >= 2*h+1
}

// counts returns how many values were ever taken and ever put, the first read
// first: taken <= put.
func (r *ring[T]) counts() (taken, put uint64) {
	taken = r.head.Load() & ticket
	return taken, r.tail.Load() & ticket
}

// free returns about how many more values fit.
func (r *ring[T]) free() uint64 {
	taken, put := r.counts()
	return r.n - min(put-taken, r.n)
}

// weed removes the values that dead reports and returns them, oldest first. It looks
// at the values before the first that is not stored yet. The caller holds the pool's
// mutex; the ring is held meanwhile, so a worker that found it empty for that reason
// must be woken afterwards.
func (r *ring[T]) weed(dead func(T) bool) (out []T) {
	if r.head.Or(holdBit)&holdBit == 0 {
		defer r.unhold()
	}
	// With the head held, the stored values from head on are nobody else's: takers
	// fail, and producers own only the slots of tickets beyond.
	head := r.head.Load() & ticket
	end := head
	for end-head < r.n && r.slot(end).seq.Load() == 2*end+1 {
		end++
	}
	to := end // the living move up, in order
	for t := end; t > head; t-- {
		s := r.slot(t - 1)
		if dead(s.val) {
			out = append(out, s.val)
			continue
		}
		if to--; to != t-1 {
			d := r.slot(to)
			d.val, d.at = s.val, s.at
		}
	}
	r.head.Store(to | holdBit) // before the slots are free: taken <= put <= taken + n
	var zero T
	for t := head; t < to; t++ {
		s := r.slot(t)
		s.val = zero
		s.seq.Store(2 * (t + r.n))
	}
	slices.Reverse(out)
	return out
}

func (r *ring[T]) close()       { r.tail.Or(closedBit) }
func (r *ring[T]) bar()         { r.tail.Or(barredBit) }
func (r *ring[T]) unbar()       { r.tail.And(^uint64(barredBit)) }
func (r *ring[T]) barred() bool { return r.tail.Load()&barredBit != 0 }
func (r *ring[T]) hold()        { r.head.Or(holdBit) }
func (r *ring[T]) unhold() {
	r.head.And(ticket)
}
