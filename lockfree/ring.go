package lockfree

import (
	"sync/atomic"
	"unsafe"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// Tickets number the values of a queue, over all its rings, from first to last.
// They are held shifted left by two, so that the same word has room for flags:
//
//	ring.tail  63 ........ 2 | 1 0      flags of the ring
//	ring.head  63 ........ 2 | 0 0
//
// Tail words overflow into nothing, and tickets are compared by the sign of their
// difference.
const (
	one = 4 // from one ticket to the next

	sealed = 1          // the ring gives no more tickets; the next ring does
	noMore = 2 | sealed // the queue is closed: there will be no next ring
	flags  = 3
)

// The slots of a ring are in groups of up to 16 neighbours that share one word, so
// that a batch publishes its values, and takes others, sixteen at a time:
//
//	group word  63 ............ 32 | 31 30 | ... | 1 0
//	            number of the group  states of its slots
//
// The number is that of the tickets which the group now serves: the ticket divided
// by the size of a group, of which 32 bits are kept. A group goes on to its next
// lap as a whole, by renew, when the queue's head has passed all of its tickets.
// For its ticket t a slot moves
//
//	empty --(producer of t)--> full --(consumer of t)--> free
//
// and whoever holds t (the producer between taking it and publishing, the consumer
// between taking it and leaving) owns the slot's value. An owner may stall. Others
// then go on without it:
//
//	empty --(consumer)--> dead           the producer is passed over
//	full  --(renew)-----> dead           the consumer is: the ticket of the next lap
//	dead  --(renew)-----> dead           and of those after it are spent with it
//
// The value of a dead slot still belongs to the owner that stalled, so nobody uses
// the slot until that owner comes back and makes it free (leave). A slot that is
// free or dead in the lap of ticket t says that t is spent.
type groupWord struct {
	atomic.Uint64

	// Words of their own lines: a consumer at one group does not slow down a
	// producer at the next. With 16 values of 8 bytes a group takes three lines.
	_ [wordBytes - 8]byte
}

const (
	empty = 0
	full  = 1
	free  = 2
	dead  = 3
	state = 3 // mask

	odd = 0x5555_5555 // the low bits of all states

	wordBytes = 64
)

// groupShift returns the logarithm of the size of a group. Groups of large values
// are smaller, for a ring has at least one group and at most about ringBytes.
func groupShift[T any]() uint {
	var v T
	switch size := unsafe.Sizeof(v); {
	case size <= ringBytes/16:
		return groupBits
	case size <= ringBytes/4:
		return min(groupBits, 2)
	}
	return min(groupBits, 1)
}

// stamp returns the number of ticket t's group, as a group word has it.
func stamp[T any](t uint64) uint64 { return t / one >> groupShift[T]() & (1<<32 - 1) }

// place returns where in a group word the state of ticket t's slot is.
func place[T any](t uint64) uint64 { return t / one & (1<<groupShift[T]() - 1) * 2 }

// ring is one node of a list of rings: a bounded queue that is used for many laps
// and sealed when it is full. Producers take tickets from tail, consumers from
// head; head <= tail <= head + len(vals).
type ring[T any] struct {
	vals  []T         // length is a power of two
	words []groupWord // of each group
	base  uint64      // the first ticket
	index uint64      // how many rings came before

	// next is nil until the ring is sealed and another appended. A ring that the
	// queue's head has left points to itself: a goroutine that still holds it sees
	// that it must look at the queue again, and keeps no chain of rings alive.
	next atomic.Pointer[ring[T]]

	peekers peekers[uint64] // by ticket

	_    stats.Pad
	tail atomic.Uint64
	_    stats.Pad
	head atomic.Uint64
	_    stats.Pad
}

// newRing returns a ring of n slots, a power of two and at least a group's, whose
// first ticket is base.
func newRing[T any](base uint64, n int) *ring[T] {
	shift := groupShift[T]()
	r := &ring[T]{vals: make([]T, n), words: make([]groupWord, n>>shift), base: base}
	r.tail.Store(base)
	r.head.Store(base)
	t := base &^ (one<<shift - 1) // of the first group
	for range r.words {
		r.word(t).begin(stamp[T](t) << 32)
		t += one << shift
	}
	// The slots of the first group that come before base have served already.
	if p := place[T](base); p > 0 {
		r.word(base).begin(stamp[T](base)<<32 | free*odd&(1<<p-1))
	}
	return r
}

// fresh returns how many tickets a ring that nobody else knows yet can give.
func (r *ring[T]) fresh() int { return len(r.vals) - int(place[T](r.base)/2) }

// fill puts vs, at most as many as fresh, into a ring that nobody else knows yet.
func (r *ring[T]) fill(vs []T) {
	t := r.base
	for len(vs) > 0 {
		k := min(len(vs), leftInGroup[T](t))
		copy(r.run(t, k), vs)
		g := r.word(t)
		g.begin(g.Load() | full*states[T](t, k))
		vs = vs[k:]
		t += uint64(k) * one
	}
	r.tail.Store(t)
}

// begin sets the word of a group in a ring that nobody else knows yet. An atomic
// store is a locked instruction.
func (g *groupWord) begin(w uint64) { *(*uint64)(unsafe.Pointer(&g.Uint64)) = w }

// slotsFor returns the largest power of two of slots, at most n, that fits into
// ringBytes, but at least those of a group.
func slotsFor[T any](n int) int {
	var v T
	shift := groupShift[T]()
	n = min(n, ringBytes/int(unsafe.Sizeof(v)+wordBytes>>shift))
	size := 1 << shift
	for 2*size <= n {
		size *= 2
	}
	return size
}

// lap returns from one ticket of a slot to its next.
func (r *ring[T]) lap() uint64 { return uint64(len(r.vals)) * one }

// val returns the value of ticket t's slot.
func (r *ring[T]) val(t uint64) *T { return &r.vals[t/one&uint64(len(r.vals)-1)] }

// word returns the word of ticket t's group.
func (r *ring[T]) word(t uint64) *groupWord {
	return &r.words[t/one>>groupShift[T]()&uint64(len(r.words)-1)]
}

// put writes and publishes the value of ticket t, which the caller took. It fails
// if the ticket was passed over.
func (r *ring[T]) put(t uint64, v T) bool {
	step(enqTook)
	*r.val(t) = v
	step(enqWrote)
	return r.publish(t)
}

func (r *ring[T]) publish(t uint64) bool {
	g, p := r.word(t), place[T](t)
	for {
		w := g.Load()
		if w>>p&state != empty {
			break
		}
		if g.CompareAndSwap(w, w+full<<p) {
			return true
		}
	}
	var zero T
	*r.val(t) = zero
	step(enqBarred)
	r.leave(t)
	return false
}

// take reads the value of ticket h, which the caller took, and leaves the slot to
// the next lap.
func (r *ring[T]) take(h uint64) T {
	step(deqTook)
	p := r.val(h)
	v := *p
	if r.peekers.in.Load() != 0 {
		r.peekers.keep(h, r.release)
		return v
	}
	var zero T
	*p = zero
	step(deqRead)
	r.leave(h)
	return v
}

// leave makes the slot of ticket t free, in whichever lap it is by now. Only the
// slot's owner may call it.
func (r *ring[T]) leave(t uint64) {
	g, p := r.word(t), place[T](t)
	for {
		step(leaving)
		w := g.Load()
		if g.CompareAndSwap(w, w&^(state<<p)|free<<p) {
			return
		}
	}
}

// renew brings the group of ticket t, the next to be given, to t's lap. It reports
// false if the ring is full: the queue's head has not passed all of the tickets
// that the group served in the lap before.
func (r *ring[T]) renew(t, w uint64) bool {
	shift := groupShift[T]()
	last := t&^(one<<shift-1) + one<<shift - r.lap() // behind the group's last ticket
	if int64(r.head.Load()-last) < 0 {
		return false
	}
	// All of its tickets have been taken or passed, so no state is empty. Consumers
	// that are about to leave get a moment.
	g := r.word(t)
	for i := 0; w&odd&^(w>>1) != 0 && i < patience; i++ {
		rt.ProcYield(1)
		w = g.Load()
		if w>>32 == stamp[T](t) {
			return true
		}
	}
	step(enqBlocked)
	held := w & odd // full or dead
	g.CompareAndSwap(w, stamp[T](t)<<32|held|held<<1)
	return true
}

type settled uint8

const (
	slotFull   settled = iota
	slotSpent          // dead, free, or a later lap's
	slotBarred         // dead by this call
)

// settle returns the state of ticket t's slot, where t was given, so that its group
// serves its lap or a later one. If its producer does not publish in a moment, the
// ticket is passed over.
func (r *ring[T]) settle(t uint64) settled {
	g, p := r.word(t), place[T](t)
	for i := 0; ; i++ {
		w := g.Load()
		if w>>32 != stamp[T](t) {
			return slotSpent
		}
		switch w >> p & state {
		case full:
			return slotFull
		case free, dead:
			return slotSpent
		}
		if i < patience {
			rt.ProcYield(1)
			continue
		}
		step(deqBarring)
		if g.CompareAndSwap(w, w|dead<<p) {
			return slotBarred
		}
	}
}
