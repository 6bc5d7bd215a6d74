package objpool

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/poundlock/poundlock/internal/stats"
)

// A visit is a Get or a Put that its magazine could not serve: it takes mu, and moves a
// batch between the magazine and the central stack, so that the next ones are served.
//
//   - The pool has seen fitEvery visits, and the P came minVisits times, before it is
//     lent any capacity. So a pool that is little used has everything in one place.
//   - What a P is lent doubles at each visit, from 1 to magCap: it ends up with about
//     as much as it uses at once.
//   - The fuller the pool was lately, the less is lent: a P may have to give it back.
//   - A visit moves half a magazine, which leaves space both ways. A P that only took,
//     or only put, since its last visit moves a whole one; and each visit of a P that
//     takes gives back the room that it did not use.
//   - A Get that misses recalls the magazines that hold objects, and a Put that finds no
//     room those that have some (see magazines). The portable engine has the answer at
//     once, so it misses nothing that is there and refuses nothing that there is room
//     for. In the pinned engine the P answers at its next use, and no visit waits for
//     it; there is at most one recall in recallEvery visits, so that recalls cost little
//     where they do not help.
//
// So a Get of the pinned engine may make an object while other Ps hold some, and a Put
// may be refused while they have room. Neither goes on: see central.mayLend.
const (
	minVisits   = 64 // of stock.minVisits; tests have 0
	recallEvery = 16

	// visitsPerLook is how many visits to a pool without magazines there are for each
	// one that counts for its P. The others need no P, and cost little more than a
	// slice under a mutex.
	visitsPerLook = 8

	// minLend is the least capacity that is worth a magazine: with less, visits to the
	// central stack alone are faster.
	minLend = 4

	// magBytes is the most memory that the slots of a magazine may take: objects of
	// more than 256 bytes are all kept in the central stack.
	magBytes = 4 << 10
)

// stock is what a pool retains: the central stack and the magazines, and what is lent
// from one to the other. Its methods need Pool.mu.
type stock[T any] struct {
	// Read by every Get and Put, written almost never.

	mags  magazines[T]
	onGet bool // Validate or Debug looks at what Get takes out
	onPut bool // Reset, Size or Debug looks at what Put brings

	_ stats.Pad

	// mu is Pool.mu. It guards the central stack and all that follows, here and in
	// Pool. No user function runs and nobody waits under it, save for the world to stop
	// in Clear, Resize, Trim and Close. A magazine's own mutex (portable engine) is
	// locked after it.
	mu sync.Mutex

	central    central[T]
	magCap     int    // most capacity of a magazine, 0 if there are to be none
	minVisits  uint32 // visits before a P is lent any capacity
	lastRecall uint64 // central.visits at the last recall

	gathers, recalls uint64
}

// setMax changes the bound; all objects are central.
func (s *stock[T]) setMax(n int) {
	s.central.max = n
	s.central.procs = runtime.GOMAXPROCS(0)
	s.magCap = min(magSize, n/(4*s.central.procs))
	var zero T
	if s.central.sized || unsafe.Sizeof(zero) > magBytes/magSize {
		s.magCap = 0 // magazines do not account bytes
	}
	s.central.least = s.magCap + 1 // what one visit may bring
}

// express reports whether a visit may work on the central stack alone: no capacity
// is lent, and it is not this visit's turn to look for its P.
func (s *stock[T]) express() bool {
	if s.magCap == 0 || s.young() {
		return true
	}
	return s.central.lent == 0 && s.central.visits%visitsPerLook != 0 && s.minVisits > 0
}

// young reports whether the peak of the central stack is not known yet.
func (s *stock[T]) young() bool { return s.central.visits < fitEvery && s.minVisits > 0 }

// prepare allocates what a visit may need, before it is pinned.
func (s *stock[T]) prepare() {
	if s.central.procs == 0 {
		s.mu.Unlock()
		panic("objpool: use of a Pool that was not made by New")
	}
	if s.magCap > 0 {
		s.mags.prepare()
	}
	s.central.grow(s.central.least)
}

// quota returns the capacity that m, whose owner makes a visit, may have now. It is
// less than the capacity that it has only if that must go back.
func (s *stock[T]) quota(m *magazine[T]) int {
	if s.magCap == 0 || m == s.mags.none || s.young() {
		return 0
	}
	if m.visits < s.minVisits {
		m.visits += visitsPerLook
		return 0
	}
	if m.slots == nil {
		m.slots, s.mags.slots = s.mags.slots, nil
	}
	most := s.central.mayLend(int(m.capacity))
	if most < min(minLend, s.magCap) {
		return 0
	}
	return min(m.raise(s.magCap), most)
}

// leave ends a visit to the magazine m.
func (s *stock[T]) leave(m *magazine[T]) {
	if m != s.mags.none {
		m.seen = m.state
	}
	s.mags.exit(m)
}

// takeVisit takes an object out of the magazine m, whose owner the caller is, or out of
// the central stack, which then refills m.
func (s *stock[T]) takeVisit(m *magazine[T]) (v T, ok bool) {
	c := &s.central
	if m.recalled {
		c.takeBack(m)
	}
	if now := m.state; now&lenMask != 0 {
		return m.pop(now), true // it was only out of reach
	}
	if m.capacity > 0 {
		c.lend(m, 0)
	}
	if len(c.items) == 0 {
		return v, false
	}
	v = c.pop()
	c.pops++
	onlyTaken := m.onlyTaken()
	quota := s.quota(m)
	if quota == 0 {
		return v, true
	}
	k, capacity := min(quota/2, len(c.items)), quota
	if onlyTaken {
		k = min(quota, len(c.items))
		capacity = k // it would not use more
	}
	c.lend(m, min(capacity, k+c.room()))
	if k > 0 {
		c.refill(m, k)
	}
	return v, true
}

// putVisit adds v to the magazine m, whose owner the caller is, or to the central stack.
func (s *stock[T]) putVisit(m *magazine[T], v T, n int64) bool {
	c := &s.central
	if m.recalled {
		c.takeBack(m)
	}
	if now := m.state; now&lenMask < m.capacity {
		m.push(now, v) // it was only out of reach
		return true
	}
	room := c.room()
	if room <= 0 {
		return false
	}
	onlyPut := m.onlyPut()
	quota := s.quota(m)
	if k := int(m.capacity) - quota; k > 0 {
		c.lend(m, quota)
		c.spill(m, k)
	}
	switch {
	case quota > int(m.capacity):
		c.lend(m, min(quota, int(m.capacity)+room))
	case m.capacity == 0:
		c.push(v, n)
		c.accepts++
		return true
	default:
		k := (m.len() + 1) / 2
		if onlyPut {
			k = m.len()
		}
		c.spill(m, min(k, room))
	}
	m.push(m.state, v)
	return true
}

// recall asks others for what they hold (see magazines), and reports whether it did: in
// the pinned engine not if it was done just now. The portable engine has the answer at
// once.
func (s *stock[T]) recall(except *magazine[T], wanted func(length, capacity int) bool) bool {
	c := &s.central
	if c.lent == 0 || s.mags.stripes == nil && c.visits-s.lastRecall < recallEvery {
		return false
	}
	s.lastRecall = c.visits
	s.recalls++
	s.mags.recall(c, except, wanted)
	return true
}

// gather takes all objects and all room back from the magazines. It stops the world if
// there is any. The caller holds mu and owns no magazine.
func (s *stock[T]) gather() {
	c := &s.central
	if c.lent == 0 {
		return
	}
	c.grow(c.lent)
	s.mags.freeze()
	for _, m := range s.mags.all() {
		if m != s.mags.none {
			c.takeBack(m)
			m.slots = nil
		}
	}
	s.setQuick()
	s.mags.thaw()
	s.gathers++
}

func (s *stock[T]) setQuick() { s.mags.setQuick(s.central.lent, s.onGet, s.onPut) }
