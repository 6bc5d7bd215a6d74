package connpool

// doom returns why e, which the pool holds and u counts, must not be lent again, or 0.
func (c *core[C]) doom(e *entry[C], u usage) Reason {
	switch {
	case e.reason != 0:
		return e.reason
	case c.closed:
		return ByClose
	}
	why := c.limits.refuses(e.epoch, u)
	if why == 0 && e.word.Load()&^lowBits-e.unused<<useShift|stateLent >= c.lastWord {
		why = ByMaxUses
	}
	return why
}

// released takes e, which the pool holds, back from a loan.
func (c *core[C]) released(e *entry[C]) {
	if c.cfg.Reset != nil && c.doom(e, c.usage()) == 0 {
		c.checks.hold(e, heldJob[C]{})
		c.provide() // a waiter may rely on the reset now
		return
	}
	c.giveBack(e, false)
}

// giveBack passes e, which the pool holds, to the first waiter, or makes it idle, or
// closes it. checked says that it was found fit just now.
func (c *core[C]) giveBack(e *entry[C], checked bool) {
	e.phase = 0
	if why := c.doom(e, c.usage()); why != 0 {
		c.closing.retire(e, why, nil)
		return
	}
	uses := e.word.Load() &^ lowBits
	if c.gate.Load()&gateShort != 0 && c.share.limit.yields(&c.share, c.clock.now()-e.born, c.waiters.n > 0) {
		c.closing.retire(e, ByKeyLimit, nil)
		return
	}
	check := !checked && (c.cfg.CheckAfterIdle < 0 || e.suspect) // before the next loan
	e.suspect = false
	if !check {
		if w := c.waiters.next(); w != nil {
			c.waiters.handoffs++
			c.waiters.lend(w, e, uses)
			if c.waiters.gaveUp {
				c.provide()
			}
			return
		}
	}
	if check {
		c.roster.giveMarked(e, uses)
	} else {
		e.word.Store(uses | stateIdle)
	}
	c.trim()
	c.provide()
}

// settle is called after a connection went idle while the gate was up: it may be a
// waiter's, another key's, or one too many.
func (c *core[C]) settle() {
	c.yield()
	c.serve()
	c.trim()
}

// serve lends idle connections to waiters.
func (c *core[C]) serve() {
	for w := c.waiters.next(); w != nil; w = c.waiters.next() {
		idle, ok := c.roster.grab()
		if !ok {
			break
		}
		c.waiters.handoffs++
		c.waiters.grant(w, idle, nil)
	}
	if c.waiters.gaveUp {
		c.provide()
	}
}

// trim closes the idle connections that are too many.
func (c *core[C]) trim() {
	if c.gate.Load()&(gateSurplus|gateClosed) == 0 {
		return
	}
	conns := c.roster.all()
	idle := c.roster.count(stateIdle)
	// From the end: Affinity prefers those at the start, so those at the end have been idle
	// for longest.
	for i := len(conns) - 1; i >= 0 && idle > 0; i-- {
		why := ByClose
		if !c.closed {
			why = c.limits.trims(c.usage(), idle)
		}
		if why == 0 {
			break
		}
		if c.closing.retireIdle(conns[i], why) {
			idle--
		}
	}
	c.watch()
}

// yield closes idle connections that other keys need more.
func (c *core[C]) yield() {
	if c.gate.Load()&gateShort == 0 {
		return
	}
	conns := c.roster.all()
	for i := len(conns) - 1; i >= 0; i-- {
		e := conns[i]
		if e.word.Load()&stateMask != stateIdle {
			continue
		}
		if !c.share.limit.yields(&c.share, c.clock.now()-e.born, c.waiters.n > 0) {
			return
		}
		if !c.closing.retireIdle(e, ByKeyLimit) {
			c.share.limit.unpromise()
		}
	}
}
