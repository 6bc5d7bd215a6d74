package connpool

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// claimTime is how long a waiter relies on a check or reset that is under way. After
// that the pool starts a dial for the waiter, if there is room: the check may hang.
const claimTime = 100 * time.Millisecond

// checks is the part of a pool that begins checks and resets. It also notes which waiter
// relies on which of them. It is guarded by Pool.mu and told the time.
type checks[C any] struct {
	waiters *waiters[C]
	roster  *roster[C]
	jobs    *jobs[C]
	alarm   *alarm
}

// claim notes that w relies on a check or reset, so that no dial is begun for w. returning
// says that the check or reset was begun for no waiter.
func (cs *checks[C]) claim(w *waiter[C], now time.Duration, returning bool) {
	until := duration.Add(now, claimTime)
	cs.waiters.claim(w, returning, until)
	cs.alarm.by(now, until)
}

// claimReturning assigns the checks and resets that were begun for no waiter to waiters
// that have nothing to rely on, one to each.
func (cs *checks[C]) claimReturning(now time.Duration) {
	for cs.waiters.mayClaim() && cs.waiters.unserved() > 0 {
		w := cs.waiters.first()
		if w == nil || w.impatient {
			return
		}
		cs.claim(w, now, true)
	}
}

// one begins the check of an idle connection that needs it, and reports whether there was
// such a connection. The check is for the first waiter that relies on nothing yet, if there
// is one. Like a dial, the check goes on without its waiter: if the check hangs, it holds
// up this connection alone. When the waiter gets another connection, or loses patience, no
// waiter relies on the check.
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
	waiter *waiter[C] // the waiter for which the job began; nil for keep-alive, TryAcquire and a reset
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

// held files the outcome of a check or reset: e is lent again, or closed. If the check
// failed, held returns what OnCheckFailed gets.
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
