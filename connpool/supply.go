package connpool

import (
	"context"
	"time"
)

// provide begins the checks and dials that waiters, MinIdle and Warm lack, as far as the
// limits allow. It is called whenever one of these changed: a waiter came, or gave up a
// dial, a slot became free, a dial or check ended, time passed.
func (c *core[C]) provide() {
	if c.waiters.gaveUp { // a write that is not needed costs other processors a cache line
		c.waiters.gaveUp = false
	}
	if c.roster.marked|c.waiters.returning|c.waiters.returningClaims == 0 && c.usage().open() >= c.limits.maxOpen && !c.share.lacks || c.closed || c.waiters.paused {
		return // nothing to claim, no room: the usual case while many wait
	}
	if c.waiters.mayClaim() {
		c.checks.claimReturning(c.clock.now())
	}
	c.check(true)
	c.share.lack(c.dials())
	c.check(false)
}

// check begins the checks that waiters lack. leave says what happens at the first waiter
// that has lost its patience with a check: if there is room for a dial, that waiter and
// those behind it are left to dials.
func (c *core[C]) check(leave bool) {
	for c.roster.marked > 0 && c.waiters.unserved() > 0 {
		if w := c.waiters.first(); leave && w != nil && w.impatient && c.limits.room(c.usage()) > 0 {
			return
		}
		c.checks.one(c.clock.now())
	}
}

// dials begins the dials that are lacking, and reports whether a waiter or a Warm needs a
// slot that the limiter does not have.
func (c *core[C]) dials() (lacks bool) {
	room := c.limits.room(c.usage())
	if room <= 0 {
		return false
	}
	conns := len(c.roster.all())
	want := max(c.waiters.n-c.waiters.claims, 0)
	if c.stock.due {
		want += c.stock.lacks(conns, c.roster.count(stateLent))
	}
	want = max(want, c.warmers.most()-conns)
	for want = min(want-c.dialer.supply(), room); want > 0; want-- {
		if ok, again := c.mayDial(); !ok {
			c.refused(again)
			return false
		}
		w := c.waiters.first()
		waits := w != nil || c.warmers.any()
		if !c.dial(w, waits) {
			return waits
		}
	}
	return false
}

// provideForNobody begins a check or a dial, if none is under way, so that a later
// TryAcquire finds a connection.
func (c *core[C]) provideForNobody() {
	if c.dialer.supply() > 0 || c.waiters.returning > 0 || c.checks.one(c.clock.now()) || c.limits.room(c.usage()) <= 0 {
		return
	}
	if ok, _ := c.mayDial(); ok && !c.dial(nil, false) { // if not ok, a later call looks again
		c.share.wantOld()
	}
}

// mayDial is dialer.mayDial; the clock is read once, and only after a failure.
func (c *core[C]) mayDial() (ok bool, again time.Duration) {
	if c.dialer.failures == 0 {
		return true, 0
	}
	return c.dialer.mayDial(c.clock.now())
}

// refused deals with waiters while the back-off or the breaker forbids a dial: they wait
// for its end, or fail at once if the breaker is open and no connection could come to
// serve them. again is what mayDial returned.
func (c *core[C]) refused(again time.Duration) {
	if c.dialer.state == BreakerOpen && len(c.roster.all()) == 0 && c.dialer.supply() == 0 {
		err := &breakerError{c.dialer.lastErr}
		c.waiters.grantAll(err)
		c.warmers.fail(err)
		return
	}
	if again == 0 || c.waiters.n == 0 && !c.warmers.any() {
		return // the end or the lateness of a dial under way looks again; MinIdle waits for a tick
	}
	c.alarm.by(c.dialer.retryAt-again, c.dialer.retryAt)
}

// dialJob is a dial under way. It is detached from the Acquire that asked for it: that
// Acquire may get another connection, or leave, and the dial goes on.
type dialJob[C any] struct {
	epoch  uint64
	values context.Context
	shared bool // begun for no waiter, but for MinIdle, Warm or TryAcquire

	// Guarded by Pool.mu.
	pending
	waiter *waiter[C] // the one that relies on this dial; nil: none, or not any more
}

// dial begins a dial, and reports false if the limiter has no slot for it. waits says
// that w or a Warm needs it.
func (c *core[C]) dial(w *waiter[C], waits bool) bool {
	if !c.share.take(waits) {
		return false
	}
	j := &dialJob[C]{epoch: c.limits.epoch, waiter: w, shared: w == nil}
	if w != nil {
		if w.dial != nil {
			w.dial.waiter = nil // late: whether it fails does not matter any more
		}
		w.dial, j.values = j, w.ctx
	}
	now := c.clock.now()
	c.dialer.begin(&j.pending, now)
	c.alarm.by(now, j.lateAt)
	c.tellBreaker()
	c.jobs.begin(job[C]{kind: jobDial, dial: j})
	return true
}

// dialed files the outcome of a dial that took so long: e, or err.
func (c *core[C]) dialed(j *dialJob[C], e *entry[C], took time.Duration, err error) {
	asked := j.waiter
	if asked != nil {
		j.waiter, asked.dial = nil, nil
	}
	c.n.dials++
	c.dialer.end(&j.pending, c.clock.now(), took, err, !c.closed)
	c.tellBreaker()
	if err != nil {
		c.n.dialErrors++
		if asked != nil {
			c.waiters.grant(asked, Conn[C]{}, dialError(c.cfg.Name, err))
		} else if j.shared {
			c.warmers.fail(dialError(c.cfg.Name, err))
		}
		c.share.free(false)
		// Not slotFreed: a failed dial for MinIdle is tried again at the next tick, not
		// at once.
		c.watch()
		c.provide()
		c.drain()
		return
	}
	c.number(e)
	u := c.usage()
	u.conns++
	if why := c.doom(e, u); why != 0 {
		e.word.Store(stateGone)
		c.closing.discard(e, why, nil)
		c.provide()
		return
	}
	c.roster.add(e)
	c.watch()
	c.stock.look()
	c.warmers.reached(len(c.roster.all()))
	if w := c.waiters.next(); w != nil {
		c.n.misses++
		c.waiters.lend(w, e, 0)
		c.provide()
		return
	}
	c.roster.stamp(e)
	c.giveBack(e, true)
}

// number gives e its number, if it has none yet.
func (c *core[C]) number(e *entry[C]) {
	if e.id == 0 {
		c.nextID++
		e.id = c.nextID
	}
}

// tellBreaker has OnBreaker called for the changes that it does not know yet, in their
// order.
func (c *core[C]) tellBreaker() {
	if c.dialer.tell() {
		c.jobs.begin(job[C]{kind: jobTellBreaker})
	}
}
