package objpool

import (
	"runtime"
	"unsafe"

	"github.com/poundlock/poundlock/internal/rt"
)

// A visit is a Get or a Put that its magazine could not serve: it takes mu, and moves a
// batch between the magazine and the central stack, so that the next ones are served.
//
//   - A P comes Pool.minVisits (64) times before it is lent any capacity. A pool that is little
//     used hence has everything in one place.
//   - What a P is lent doubles at each visit, from 1 to magCap: it ends up with about
//     as much as it uses at once.
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
// may be refused while they have room. Neither goes on. Let w be the most objects that
// are in use at once, P the number of Ps and c the capacity of a magazine. A Get misses
// only while all objects in the pool are in the magazines of others, so misses never
// make more than w + c(P-1) objects. A Put is refused only while the central stack and
// its own magazine are full, so there are more than max - c(P-1) objects. Hence none is
// refused if max >= w + 2c(P-1), which magSizeFor sees to where max is as small as
// w + 16P.
const (
	minVisits   = 64 // of Pool.minVisits; tests have 0
	recallEvery = 16

	// visitsPerLook is how many visits to a pool without magazines there are for each
	// one that counts for its P. The others need no P, and cost little more than a
	// slice under a mutex.
	visitsPerLook = 8

	// magBytes is the most memory that the slots of a magazine may take: objects of
	// more than 256 bytes are all kept in the central stack.
	magBytes = 4 << 10
)

// magSizeFor returns the most capacity that a magazine may have in a pool of n objects
// on that many Ps. All magazines never have more than a quarter of n. A pool of less
// than 512 objects for each P may be as small as what is in use and 16 for each P: twice
// the capacity of the magazines of all Ps but one then fits into what these 16 add up to.
func magSizeFor(n, procs int) int {
	c := min(magSize, n/(4*procs))
	if procs > 2 {
		c = min(c, max(8*procs/(procs-1), n/(32*procs)))
	}
	return c
}

// setMax changes the bound; all objects are central.
func (p *Pool[T]) setMax(n int) {
	p.central.max = n
	p.magCap = magSizeFor(n, runtime.GOMAXPROCS(0))
	var zero T
	if p.cfg.Size != nil || unsafe.Sizeof(zero) > magBytes/magSize {
		p.magCap = 0 // magazines do not account bytes
	}
	p.central.least = p.magCap + 1 // what one visit may bring
}

// express reports whether a visit may work on the central stack alone: no capacity
// is lent, and it is not this visit's turn to look for its P.
func (p *Pool[T]) express() bool {
	return p.central.lent == 0 && (p.central.visits%visitsPerLook != 0 && p.minVisits > 0 || p.magCap == 0)
}

// prepare allocates what a visit may need, before it is pinned.
func (p *Pool[T]) prepare() {
	if p.cfg.New == nil {
		p.mu.Unlock()
		panic("objpool: use of a Pool that was not made by New")
	}
	if p.magCap > 0 {
		p.mags.prepare()
	}
	p.central.grow(p.central.least)
}

// quota returns the capacity that m, whose owner makes a visit, may have now.
func (p *Pool[T]) quota(m *magazine[T]) int {
	if p.magCap == 0 || p.closed || m == p.mags.none {
		return 0
	}
	if m.visits < p.minVisits {
		m.visits += visitsPerLook
		return 0
	}
	if m.slots == nil {
		m.slots, p.mags.slots = p.mags.slots, nil
	}
	return min(m.raise(p.magCap), int(m.capacity)+p.central.lendable())
}

// leave ends a visit to the magazine m.
func (p *Pool[T]) leave(m *magazine[T]) {
	if m != p.mags.none {
		m.seen = m.state
	}
	p.mags.exit(m)
}

// take takes an object out, or counts a miss. soft says that the miss is TryGet's.
func (p *Pool[T]) take(soft bool) (v T, ok bool) {
	if p.mags.stripes != nil {
		m := p.mags.lockStripe()
		if s := m.state; s&lenMask != 0 {
			v = m.pop(s)
			m.mu.Unlock()
			return v, true
		}
		m.mu.Unlock()
	} else if pinnedBuild && p.mags.quick.Load() != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags.at)) {
			m := p.mags.at[id].Load()
			if s := m.state; s&lenMask != 0 {
				v = m.pop(s)
				rt.Unpin()
				return v, true
			}
		}
		rt.Unpin()
	}
	return p.takeCentral(soft)
}

func (p *Pool[T]) takeCentral(soft bool) (v T, ok bool) {
	p.mu.Lock()
	c := &p.central
	c.visit()
	if len(c.items) > 0 && p.express() {
		v = c.pop()
		c.pops++
		p.mu.Unlock()
		return v, true
	}
	p.prepare()
	m := p.mags.enter()
	v, ok = p.takeVisit(m)
	p.leave(m)
	if !ok && p.recall(m, func(length, _ int) bool { return length > 0 }) && len(c.items) > 0 {
		v, ok = c.pop(), true
		c.pops++
	}
	if !ok {
		p.books.misses++
		if soft {
			p.books.softMisses++
		}
	}
	p.setQuick()
	p.mu.Unlock()
	return v, ok
}

// takeVisit takes an object out of the magazine m, whose owner the caller is, or out of
// the central stack, which then refills m.
func (p *Pool[T]) takeVisit(m *magazine[T]) (v T, ok bool) {
	c := &p.central
	if m.recalled {
		c.takeBack(m)
	}
	if s := m.state; s&lenMask != 0 {
		return m.pop(s), true // it was only out of reach
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
	quota := p.quota(m)
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

// put is Put for an object that passed its checks and holds n bytes.
func (p *Pool[T]) put(v T, n int64) bool {
	if p.mags.stripes != nil {
		m := p.mags.lockStripe()
		if s := m.state; s&lenMask < m.capacity {
			m.push(s, v)
			m.mu.Unlock()
			return true
		}
		m.mu.Unlock()
	} else if pinnedBuild && p.mags.quick.Load() != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags.at)) {
			m := p.mags.at[id].Load()
			if s := m.state; s&lenMask < m.capacity {
				m.push(s, v)
				rt.Unpin()
				return true
			}
		}
		rt.Unpin()
	}
	return p.putOrRefuse(v, n)
}

// putOrRefuse is put without a look at the local magazine first.
func (p *Pool[T]) putOrRefuse(v T, n int64) bool {
	if r, ok := p.putCentral(v, n); !ok {
		p.refuse(v, r)
		return false
	}
	return true
}

// putCentral returns false, and why, if the pool cannot take v. The Put is then
// counted already.
func (p *Pool[T]) putCentral(v T, n int64) (Reason, bool) {
	p.mu.Lock()
	c := &p.central
	c.visit()
	if p.closed || p.cfg.MaxBytes > 0 && n > p.cfg.MaxBytes-c.bytes {
		return p.refusePut(v, n), false
	}
	if c.room() > 0 && p.express() {
		c.push(v, n, p.cfg.Size != nil)
		c.accepts++
		p.armIdle()
		p.mu.Unlock()
		return 0, true
	}
	p.prepare()
	m := p.mags.enter()
	ok := p.putVisit(m, v, n)
	p.leave(m)
	if !ok && p.recall(m, func(length, capacity int) bool { return length < capacity }) && c.room() > 0 {
		c.push(v, n, p.cfg.Size != nil)
		c.accepts++
		ok = true
	}
	p.setQuick()
	if !ok {
		return p.refusePut(v, n), false
	}
	p.armIdle()
	p.mu.Unlock()
	return 0, true
}

// refusePut counts a Put that the pool cannot take, says why, and unlocks mu.
func (p *Pool[T]) refusePut(v T, n int64) (why Reason) {
	switch {
	case p.closed:
		why = ReasonClosed
	case p.cfg.MaxBytes > 0 && n > p.cfg.MaxBytes:
		why = ReasonTooLarge
	default:
		why = ReasonFull
	}
	p.books.discards[why]++
	p.mu.Unlock()
	return why
}

// putVisit adds v to the magazine m, whose owner the caller is, or to the central stack.
func (p *Pool[T]) putVisit(m *magazine[T], v T, n int64) bool {
	c := &p.central
	if m.recalled {
		c.takeBack(m)
	}
	if s := m.state; s&lenMask < m.capacity {
		m.push(s, v) // it was only out of reach
		return true
	}
	room := c.room()
	if room <= 0 {
		return false
	}
	onlyPut := m.onlyPut()
	quota := p.quota(m)
	switch {
	case quota > int(m.capacity):
		c.lend(m, min(quota, int(m.capacity)+room))
	case m.capacity == 0:
		c.push(v, n, p.cfg.Size != nil)
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
func (p *Pool[T]) recall(except *magazine[T], wanted func(length, capacity int) bool) bool {
	c := &p.central
	if c.lent == 0 || p.mags.stripes == nil && c.visits-p.lastRecall < recallEvery {
		return false
	}
	p.lastRecall = c.visits
	p.books.recalls++
	p.mags.recall(c, except, wanted)
	return true
}

// gather takes all objects and all room back from the magazines. It stops the world if
// there is any. The caller holds mu and owns no magazine.
func (p *Pool[T]) gather() {
	c := &p.central
	if c.lent == 0 {
		return
	}
	c.grow(c.lent)
	p.mags.freeze()
	for _, m := range p.mags.all() {
		if m != p.mags.none {
			c.takeBack(m)
			m.slots = nil
		}
	}
	p.setQuick()
	p.mags.thaw()
	p.books.gathers++
}

func (p *Pool[T]) setQuick() { p.mags.setQuick(p.central.lent, p.onGet, p.onPut) }
