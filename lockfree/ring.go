package lockfree

import (
	"sync/atomic"
	"unsafe"

	"github.com/poundlock/poundlock/internal/stats"
)

// Tickets number the values of a queue, over all its rings, from first to last.
// They are held shifted left by two, so that the same word has room for a state:
//
//	slot.seq   63 ........ 2 | 1 0      state of the slot for that ticket
//	ring.tail  63 ........ 2 | 1 0      flags of the ring
//	ring.head  63 ........ 2 | 0 0
//
// An empty slot that awaits ticket t thus holds exactly the word t, and tail words
// overflow into nothing. Tickets are compared by the sign of their difference.
const (
	one = 4 // from one ticket to the next

	full  = 1 // the slot holds the value of its ticket
	dead  = 2 // the ticket is spent without a value: see slot
	state = 3

	sealed = 1          // the ring gives no more tickets; the next ring does
	noMore = 2 | sealed // the queue is closed: there will be no next ring
	flags  = 3
)

// slot holds one value. Its word moves, for ticket t of a ring of n slots,
//
//	t --(producer)--> t|full --(consumer)--> t+n
//
// and whoever holds a ticket of the slot (the producer between taking t and
// publishing, the consumer between taking t and leaving) owns val. An owner may
// stall. Others then spend the ticket without it:
//
//	t      --(consumer)--> t|dead       the producer is passed over
//	t|full --(producer)--> (t+n)|dead   the next lap's ticket is passed over
//	t|dead --(either)----> (t+kn)|dead  and so are those of later laps
//
// A dead slot's val still belongs to the owner that stalled, so nobody uses the
// slot until that owner comes back and moves the word to the first ticket that has
// not been passed over (ring.leave). Hence a word never goes back, and a word
// beyond ticket t, or dead at t, says that t is spent.
type slot[T any] struct {
	seq atomic.Uint64
	val T
}

// ring is one node of a list of rings: a bounded queue that is used for many laps
// and sealed when it is full. Producers take tickets from tail, consumers from
// head; head <= tail <= head + len(slots).
type ring[T any] struct {
	slots []slot[T] // length is a power of two
	lap   uint64    // len(slots) tickets
	base  uint64    // the first ticket
	index uint64    // how many rings came before

	// next is nil until the ring is sealed and another appended. A ring that the
	// queue's head has left points to itself: a goroutine that still holds it sees
	// that it must look at the queue again, and keeps no chain of rings alive.
	next atomic.Pointer[ring[T]]

	_    stats.Pad
	tail atomic.Uint64
	_    stats.Pad
	head atomic.Uint64
	_    stats.Pad
}

// newRing returns a ring of at least n slots whose first ticket is base.
func newRing[T any](base uint64, n int) *ring[T] {
	r := &ring[T]{slots: make([]slot[T], n), lap: uint64(n) * one, base: base}
	r.tail.Store(base)
	r.head.Store(base)
	for i := range n {
		t := base + uint64(i)*one
		r.at(t).begin(t)
	}
	return r
}

// begin sets the word of a slot in a ring that nobody else knows yet. An atomic
// store is a locked instruction and would be most of what a new ring costs:
// BenchmarkPC, whose producers run ahead, is a tenth slower with it.
func (s *slot[T]) begin(w uint64) { *(*uint64)(unsafe.Pointer(&s.seq)) = w }

// slotsFor returns the largest power of two of slots, at most n and at least 2,
// that fits into ringBytes.
func slotsFor[T any](n int) int {
	n = min(n, ringBytes/int(unsafe.Sizeof(slot[T]{})))
	size := 2
	for 2*size <= n {
		size *= 2
	}
	return size
}

// at returns the slot of ticket t.
func (r *ring[T]) at(t uint64) *slot[T] {
	return &r.slots[t/one&uint64(len(r.slots)-1)]
}

// put writes and publishes the value of ticket t, which the caller took. It fails
// if the ticket was passed over.
func (r *ring[T]) put(s *slot[T], t uint64, v T) bool {
	step(enqTook)
	s.val = v
	step(enqWrote)
	if s.seq.CompareAndSwap(t, t|full) {
		return true
	}
	var zero T
	s.val = zero
	step(enqBarred)
	r.leave(s)
	return false
}

// take reads the value of ticket h, which the caller took, and leaves the slot to
// the next lap.
func (r *ring[T]) take(s *slot[T], h uint64) T {
	step(deqTook)
	v := s.val
	var zero T
	s.val = zero
	step(deqRead)
	if !s.seq.CompareAndSwap(h|full, h+r.lap) {
		r.leave(s)
	}
	return v
}

// leave frees a dead slot for the first ticket that was not passed over. Only the
// slot's owner may call it.
func (r *ring[T]) leave(s *slot[T]) {
	for {
		step(leaving)
		w := s.seq.Load()
		if s.seq.CompareAndSwap(w, w&^state+r.lap) {
			return
		}
	}
}
