package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// first returns when the oldest item that is not in a ready batch came.
func (c *core[T]) first() (time.Duration, bool) {
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

// expect makes sure that a taker looks again when the oldest open item has
// reached the age Linger.
func (c *core[T]) expect(e *effects[T]) {
	if c.cfg.PreciseLinger && !c.fakeClock && c.cfg.Linger <= preciseWindow {
		if !c.spinning {
			c.crew.wake(&e.wakeUps)
		}
		return
	}
	if c.crew.ready() {
		c.arm(e)
	}
}

// look returns when a taker must look for what is due then: a batch that is
// aside, or what is open. That does not count while no taker is free (one that has
// finished looks at the clock itself) or one yields towards it.
func (c *core[T]) nextLook() (at time.Duration, ok bool) {
	at, ok = c.later.next()
	first, open := c.first()
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

// arm sets the alarm for what is due next, or wakes a taker if that is due
// already.
func (c *core[T]) arm(e *effects[T]) {
	at, ok := c.nextLook()
	if !ok || c.alarm.before(at) {
		return
	}
	now := c.clock.now()
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
func (g *engine[T]) onAlarm() {
	var e effects[T]
	g.mu.lock()
	g.core.alarm.rang()
	if !g.core.finished {
		g.core.arm(&e)
	}
	g.unlock(&e)
}
