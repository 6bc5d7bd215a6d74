package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// firstLocked returns when the oldest item that is not in a ready batch came.
func (c *core[T]) firstLocked() (time.Duration, bool) {
	switch {
	case c.backlog.filling() > 0 && len(c.lanes) > 0:
		return min(c.backlog.at, c.lanesAt), true
	case c.backlog.filling() > 0:
		return c.backlog.at, true
	case len(c.lanes) > 0:
		return c.lanesAt, true
	}
	return 0, false
}

// expectLocked makes sure that a taker looks again when the oldest open item has
// reached the age Linger.
func (c *core[T]) expectLocked(e *effects[T]) {
	if c.cfg.PreciseLinger && !c.fakeClock && c.cfg.Linger <= preciseWindow {
		if !c.spinning {
			c.crew.wake(&e.wakeUps)
		}
		return
	}
	if c.crew.ready() {
		c.armLocked(e)
	}
}

// lookLocked returns when a taker must look for what is due then: a batch that is
// aside, or what is open. That does not count while no taker is free (one that has
// finished looks at the clock itself) or one yields towards it.
func (c *core[T]) lookLocked() (at time.Duration, ok bool) {
	at, ok = c.later.next()
	first, open := c.firstLocked()
	if !open || c.cfg.Linger <= 0 || c.spinning || c.closing || !c.crew.ready() {
		return at, ok
	}
	due := duration.Add(first, c.cfg.Linger)
	if c.cfg.PreciseLinger && !c.fakeClock {
		due -= preciseWindow
	}
	if ok {
		return min(at, due), true
	}
	return due, true
}

// armLocked sets the alarm for what is due next, or wakes a taker if that is due
// already.
func (c *core[T]) armLocked(e *effects[T]) {
	at, ok := c.lookLocked()
	if !ok || c.alarm.before(at) {
		return
	}
	now := c.now()
	if at > now {
		c.alarm.set(at, now)
		return
	}
	c.crew.wake(&e.wakeUps)
	// That taker may go off with what is open, and look at nothing else for long.
	if retry, ok := c.later.next(); ok && retry > now {
		c.alarm.set(retry, now)
	}
}

// onAlarm wakes a taker if something is due, and else sets the alarm again. It
// takes nothing itself, so it cannot steal a batch from a Close that has
// already decided what is left.
func (c *core[T]) onAlarm() {
	var e effects[T]
	c.mu.lock()
	c.alarm.rang()
	if !c.finished {
		c.armLocked(&e)
	}
	c.unlock(&e)
}
