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
//	empty --(consumer)--> dead    the producer has stalled: its ticket is passed over
//	full  --(renew)-----> dead    the consumer has: the next lap's ticket is passed over
//	dead  --(renew)-----> dead    the owner is still away: one more lap's ticket is
//
// The states are such that each of these steps but renew's sets bits and clears none.
// So an owner leaves by an atomic or, which cannot fail, whatever its neighbours do.
//
// Within a lap a state only goes on along these arrows, and the number of a group only
// grows. So a compare-and-swap of a word that was read when its number was the right
// one changes what was meant, however late it comes. Who reads a word again must look
// at its number again: meanwhile others may have brought it on by any number of laps.
//
// The value of a dead slot still belongs to the owner that stalled, so nobody uses
// the slot until that owner comes back and makes it free (leave). A slot that is
// free or dead in the lap of ticket t says that t is spent.
type groupWord struct {
	atomic.Uint64

	// The word fills a cache line, so that a consumer at one group does not slow down
	// a producer at the next. A group of 16 values of 8 bytes takes three lines.
	_ [wordBytes - 8]byte
}

const (
	empty = 0
	full  = 1
	dead  = 2
	free  = full | dead
	state = 3 // mask

	odd = 0x5555_5555 // the low bits of all states, of 16 slots

	wordBytes = 64
	wordBits  = 4 // wordBytes is one<<wordBits
)

// groupShift returns the logarithm of the size of a group of values of size bytes.
// Groups of large values are smaller, for a ring has at least one group and at most
// about ringBytes. For unsafe.Sizeof a value it is a constant, once it is inlined.
//
// It and what is built on it are not generic: a call of a generic function loads
// and checks a dictionary, which on the straight path costs as much as the rest.
func groupShift(size uintptr) uint {
	switch {
	case size <= ringBytes/16:
		return groupBits
	case size <= ringBytes/4:
		return min(groupBits, 2)
	}
	return min(groupBits, 1)
}

// stampOf returns the number of ticket t's group, as a group word has it.
func stampOf(t uint64, shift uint) uint32 { return uint32(t / one >> shift) }

// placeOf returns where in a group word the state of ticket t's slot is.
func placeOf(t uint64, shift uint) uint64 { return t / one & (1<<shift - 1) * 2 }

func stamp[T any](t uint64) uint32 {
	var v T
	return stampOf(t, groupShift(unsafe.Sizeof(v)))
}

func place[T any](t uint64) uint64 {
	var v T
	return placeOf(t, groupShift(unsafe.Sizeof(v)))
}

// groups are the words of a ring's groups, a power of two of them.
type groups struct {
	first unsafe.Pointer // to the words
	mask  uint64         // of their offsets
}

func newGroups(n int) groups {
	words := make([]groupWord, n)
	return groups{unsafe.Pointer(unsafe.SliceData(words)), uint64(n-1) * wordBytes}
}

// of returns the word of ticket t's group. The mask keeps it among the words, so
// that there is no bound to check. With groups of 16, t itself is an offset.
func (g *groups) of(t uint64, shift uint) *groupWord {
	return (*groupWord)(unsafe.Add(g.first, t<<(wordBits-shift)&g.mask))
}

// ring is one node of a list of rings: a bounded queue that is used for many laps
// and sealed when it is full. Producers take tickets from tail, consumers from
// head; head <= tail <= head + len(vals).
type ring[T any] struct {
	vals   []T // length is a power of two
	groups groups
	base   uint64 // the first ticket
	index  uint64 // how many rings came before

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
	var v T
	shift := groupShift(unsafe.Sizeof(v))
	r := &ring[T]{vals: make([]T, n), groups: newGroups(n >> shift), base: base}
	r.tail.Store(base)
	r.head.Store(base)
	t := base &^ (one<<shift - 1) // of the first group
	for range n >> shift {
		r.word(t).begin(uint64(stamp[T](t)) << 32)
		t += one << shift
	}
	// The slots of the first group that come before base have served already.
	if p := place[T](base); p > 0 {
		r.word(base).begin(uint64(stamp[T](base))<<32 | free*odd&(1<<p-1))
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
	shift := groupShift(unsafe.Sizeof(v))
	n = min(n, ringBytes/int(unsafe.Sizeof(v)+wordBytes>>shift))
	size := 1 << shift
	for 2*size <= n {
		size *= 2
	}
	return size
}

// lap returns from one ticket of a slot to its next.
func (r *ring[T]) lap() uint64 { return uint64(len(r.vals)) * one }

// val returns the value of ticket t's slot, without a bound to check: the number of
// values is a power of two.
func (r *ring[T]) val(t uint64) *T {
	var v T
	i := uintptr(t / one & uint64(len(r.vals)-1))
	return (*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(r.vals)), i*unsafe.Sizeof(v)))
}

// word returns the word of ticket t's group.
func (r *ring[T]) word(t uint64) *groupWord {
	var v T
	return r.groups.of(t, groupShift(unsafe.Sizeof(v)))
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
		if g.CompareAndSwap(w, w|full<<p) {
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
		r.keep(h)
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
	step(leaving)
	r.word(t).Or(free << place[T](t))
}

// freed returns what becomes of a group word in which the states of the consecutive
// tickets up to last were made free by their consumer, in a ring with lap tickets.
// If that frees the whole group, and head has passed it, which it has if last is the
// group's last ticket, the word is that of the next lap, and no producer has to renew
// it.
func freed(w, last, lap uint64, shift uint) uint64 {
	if last/one&(1<<shift-1) == 1<<shift-1 && uint32(w) == free*odd&(1<<(2<<shift)-1) {
		return uint64(stampOf(last+lap, shift)) << 32
	}
	return w
}

// renew brings the group of ticket t, the next to be given, to t's lap. It reports
// false if the ring is full: the queue's head has not passed all of the tickets
// that the group served in the lap before.
func (r *ring[T]) renew(t, w uint64) bool {
	var v T
	shift := groupShift(unsafe.Sizeof(v))
	last := t&^(one<<shift-1) + one<<shift - r.lap() // behind the group's last ticket
	if int64(r.head.Load()-last) < 0 {
		return false
	}
	// All of its tickets have been taken or passed, so no state is empty. Consumers
	// that are about to leave get a moment.
	g := r.word(t)
	for i := 0; held(w, shift) != 0 && i < patience; i++ {
		rt.ProcYield(1)
		step(enqRenewing)
		now := g.Load()
		if now>>32 != w>>32 {
			return true // renewed by another; it may be laps ahead by now
		}
		w = now
	}
	step(enqBlocked)
	g.CompareAndSwap(w, uint64(stamp[T](t))<<32|held(w, shift)*dead)
	return true
}

// held returns the low bits of the states that are not free in a group that is done.
func held(w uint64, shift uint) uint64 { return ^(w & (w >> 1)) & odd & (1<<(2<<shift) - 1) }

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
		if uint32(w>>32) != stamp[T](t) {
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
