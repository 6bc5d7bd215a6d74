package connpool

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// claimTime is how long a waiter relies on a check or reset that is under way. After
// that the pool starts a dial for the waiter, if there is room: the check may hang.
const claimTime = 100 * time.Millisecond

// checks is the part of a pool that begins checks and resets, and lets waiters rely on
// them. It is guarded by Pool.mu and told the time.
type checks[C any] struct {
	waiters *waiters[C]
	roster  *roster[C]
	jobs    *jobs[C]
	alarm   *alarm
}

// claim lets w rely on a check or reset, so that no dial is begun for it. returning says
// that it began for nobody.
func (cs *checks[C]) claim(w *waiter[C], now time.Duration, returning bool) {
	until := duration.Add(now, claimTime)
	cs.waiters.claim(w, returning, until)
	cs.alarm.by(now, until)
}

// claimReturning assigns checks and resets that began for nobody to waiters that have
// nothing to rely on, one to each.
func (cs *checks[C]) claimReturning(now time.Duration) {
	for cs.waiters.mayClaim() && cs.waiters.unserved() > 0 {
		w := cs.waiters.first()
		if w == nil || w.impatient {
			return
		}
		cs.claim(w, now, true)
	}
}

// one starts the check of an idle connection that needs one, on behalf of the first
// waiter for whom nothing is under way. Like a dial, the check is detached from its
// waiter: if it hangs, it holds up this connection alone. When the waiter gets another
// connection, or loses patience, nobody relies on the check.
func (cs *checks[C]) one(now time.Duration) bool {
	if cs.roster.marked == 0 {
		return false
	}
	j := heldJob[C]{check: true, waiter: cs.waiters.first()}
	if j.waiter != nil {
		j.turn = j.waiter.turn
		cs.claim(j.waiter, now, false)
	}
	cs.hold(cs.roster.takeMarked(), j)
	return true
}

// heldJob is a check or a reset of a connection that the pool holds.
type heldJob[C any] struct {
	check  bool       // else a reset
	keep   bool       // for KeepAlive: counted in janitor.refreshing
	waiter *waiter[C] // the one that asked; nil for keep-alive, TryAcquire and a reset
	turn   uint64     // waiter.turn then
}

// hold has e, which the pool holds, checked or reset.
func (cs *checks[C]) hold(e *entry[C], j heldJob[C]) {
	e.phase = StateResetting
	if j.check {
		e.phase = StateChecking
	}
	if j.waiter == nil {
		cs.waiters.returning++
	}
	cs.jobs.begin(job[C]{kind: jobHeld, e: e, held: j})
}

// held files the outcome of a check or reset: e is lent again, or closed. It returns what
// OnCheckFailed is to be told if failed.
func (c *core[C]) held(e *entry[C], j heldJob[C], err error) (info Info, failed bool) {
	if j.keep {
		c.janitor.refreshing--
	}
	if j.check {
		c.n.checks++
		e.checkedAt = c.clock.now()
	}
	failed = err != nil && !c.closed
	if failed {
		c.n.checkFailures++
		c.closing.retire(e, ByCheck, err)
		if j.check {
			c.roster.suspect()
		}
		info = e.infoLocked(c.clock.now())
	} else {
		c.giveBack(e, j.check)
	}
	if w := j.waiter; w == nil {
		c.waiters.returned()
	} else if w.turn == j.turn && w.state == waitQueued {
		c.waiters.unclaim(w)
	}
	c.provide()
	return info, failed
}
