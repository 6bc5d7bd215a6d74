package objpool

import "github.com/poundlock/poundlock/internal/rt"

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
		c.push(v, n)
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
		c.push(v, n)
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
