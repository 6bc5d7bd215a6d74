package connpool

// releaseSlow returns c when the fast path of Release could not.
func (p *Pool[C]) releaseSlow(c Conn[C]) {
	if c.e.word.Load()&^mark != c.word {
		if c.endedByHolder() {
			return
		}
		c.stale("Release")
	}
	c.timeUse()
	if p.cfg.OnReleased != nil {
		defer p.giveBack(c) // also if the hook ends this goroutine
		info := c.Info()
		p.functions.hook("OnReleased", func() { p.cfg.OnReleased(c.e.value, info) })
		return
	}
	p.giveBack(c)
}

// giveBack returns c, whose loan lasts.
func (p *Pool[C]) giveBack(c Conn[C]) {
	e := c.e
	if p.cfg.Order != Affinity {
		e.stamp.Store(p.returned.Add(1))
	}
	if p.gate.Load()&(gateWaiters|gateClosed) == 0 && p.cfg.Reset == nil && p.cfg.CheckAfterIdle >= 0 &&
		c.word < p.lastWord && e.word.CompareAndSwap(c.word, c.word&^stateMask) {
		if p.gate.Load()&gateSettle != 0 {
			p.settle()
		}
		return
	}
	// Before the lock, which many may want: what is held belongs to the pool, and
	// whoever condemns it meanwhile leaves the reason in e.
	if !e.takeBack(c.word) {
		c.stale("Release")
	}
	p.lock()
	if p.cfg.Reset != nil && p.doomLocked(e, p.usageLocked()) == 0 {
		p.holdLocked(e, heldJob[C]{})
		p.provideLocked() // a waiter may rely on the reset now
	} else {
		p.returnLocked(e, false)
	}
	p.unlock()
}

// doomLocked returns why e, which the pool holds and u counts, must not be lent again, or 0.
func (p *Pool[C]) doomLocked(e *entry[C], u usage) Reason {
	switch {
	case e.reason != 0:
		return e.reason
	case p.closed:
		return ByClose
	}
	why := p.limits.refuses(e.epoch, u)
	if why == 0 && e.word.Load()&^lowBits-e.unused<<useShift|stateLent >= p.lastWord {
		why = ByMaxUses
	}
	return why
}

// returnLocked passes e, which the pool holds, to the first waiter, or makes it
// idle, or closes it. checked says that it was found fit just now.
func (p *Pool[C]) returnLocked(e *entry[C], checked bool) {
	e.phase = 0
	if why := p.doomLocked(e, p.usageLocked()); why != 0 {
		p.retireLocked(e, why, nil)
		return
	}
	uses := e.word.Load() &^ lowBits
	if p.gate.Load()&gateShort != 0 && p.share.limit.yields(&p.share, p.now()-e.born, p.waiters.n > 0) {
		p.retireLocked(e, ByKeyLimit, nil)
		return
	}
	check := !checked && (p.cfg.CheckAfterIdle < 0 || e.suspect) // before the next loan
	e.suspect = false
	if !check {
		if w := p.waiters.next(); w != nil {
			p.waiters.handoffs++
			p.lendLocked(e, uses, w)
			return
		}
	}
	if check {
		p.roster.giveMarked(e, uses)
	} else {
		e.word.Store(uses | stateIdle)
	}
	p.trimLocked()
	p.provideLocked()
}

// lendLocked lends e, which is the pool's and had the given uses, to w.
func (p *Pool[C]) lendLocked(e *entry[C], uses uint64, w *waiter[C]) {
	word := uses + useOne | stateLent
	e.word.Store(word)
	p.waiters.grant(w, Conn[C]{e, word}, nil)
}

// settle looks after a connection that went idle while the gate was up.
func (p *Pool[C]) settle() {
	p.lock()
	p.yieldLocked()
	p.serveLocked()
	p.trimLocked()
	p.unlock()
}

// serveLocked lends idle connections to waiters.
func (p *Pool[C]) serveLocked() {
	for w := p.waiters.next(); w != nil; w = p.waiters.next() {
		c, ok := p.roster.grab()
		if !ok {
			return
		}
		p.waiters.handoffs++
		p.waiters.grant(w, c, nil)
	}
}

// trimLocked closes the idle connections that are too many.
func (p *Pool[C]) trimLocked() {
	if p.gate.Load()&(gateSurplus|gateClosed) == 0 {
		return
	}
	conns := p.roster.all()
	idle := p.roster.count(stateIdle)
	// From the end: the order of preference of Affinity begins at the start, so
	// these are the coldest.
	for i := len(conns) - 1; i >= 0 && idle > 0; i-- {
		why := ByClose
		if !p.closed {
			why = p.limits.trims(p.usageLocked(), idle)
		}
		if why == 0 {
			return
		}
		if p.retireIdleLocked(conns[i], why) {
			idle--
		}
	}
}
