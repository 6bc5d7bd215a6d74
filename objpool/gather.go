package objpool

import "slices"

// objectsAway reports whether some magazine holds an object. The caller holds mu.
func (p *Pool[T]) objectsAway() bool {
	return p.granted > 0 && p.away(func(length, _ int) bool { return length > 0 })
}

// roomAway reports whether some magazine has room. The caller holds mu.
func (p *Pool[T]) roomAway() bool {
	return p.granted > 0 && p.away(func(length, capacity int) bool { return length < capacity })
}

// away asks about every magazine as it is at one moment of its own; its owner may go
// on meanwhile.
func (p *Pool[T]) away(is func(length, capacity int) bool) bool {
	for _, m := range p.magazines() {
		if p.stripes != nil {
			m.mu.Lock()
		}
		yes := m.capacity > 0 && is(int(m.load()&lenMask), int(m.capacity))
		if p.stripes != nil {
			m.mu.Unlock()
		}
		if yes {
			return true
		}
	}
	return false
}

// gather takes all objects and all room away from the magazines into the central
// stack. The caller holds mu and owns no magazine.
func (p *Pool[T]) gather() {
	if p.granted == 0 {
		return
	}
	p.items = slices.Grow(p.items, p.granted+magSize+1)
	p.freeze()
	for _, m := range p.magazines() {
		if n := m.len(); n > 0 {
			p.items = m.spill(p.items, n)
			p.books.flow += uint64(n)
		}
		m.tick = m.state
		if m != p.none {
			m.capacity = 0
		}
	}
	p.granted = 0
	p.setQuick()
	p.thaw()
	clear(p.earned)
	p.books.gathers++
	p.noteHigh()
}

// gatherOften is gather for the fast paths: it sees to it that they do not come here
// too often.
func (p *Pool[T]) gatherOften() {
	p.gather()
	pops := p.books.pops
	for _, m := range p.magazines() {
		pops += m.load() >> lenBits
	}
	if pops-p.lastPops < soon {
		p.earnNeed = min(2*p.earnNeed, maxEarn)
	} else {
		p.earnNeed = minEarn
	}
	p.lastPops = pops
}
