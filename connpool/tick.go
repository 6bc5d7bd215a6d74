package connpool

import "time"

// tick looks at every connection once. Borrowers read no clock: a word that is the
// same as at an earlier look means that no caller borrowed or returned the connection
// since then, so that its idle or loan time is at least the time between. wall is the time
// on the wall clock.
func (c *core[C]) tick(wall time.Time) {
	if c.closed {
		return
	}
	var leaks []leak[C]
	now := c.clock.now()
	conns := c.roster.all()
	idle := 0
	for _, e := range conns {
		if e.lookLocked(now)&stateMask == stateIdle {
			idle++
		}
	}
	late := c.janitor.begin(wall, len(conns), idle, c.closing.n())
	for _, e := range conns {
		switch e.seen & stateMask {
		case stateIdle:
			if late {
				c.roster.mark(e)
			}
			c.tickIdle(e, e.factsLocked(now))
		case stateLent:
			if e.reason == 0 && e.factsLocked(now).outlived {
				c.closing.condemn(e, ByLifetime)
			}
			if c.janitor.leaks(now-e.seenAt) && e.leaked != e.seen {
				e.leaked = e.seen
				c.n.leaked++
				leaks = append(leaks, leak[C]{e.value, e.infoLocked(now)})
			}
		}
	}
	c.stock.look()
	c.provide()
	if len(leaks) > 0 && c.cfg.OnLeaked != nil {
		c.jobs.begin(job[C]{kind: jobTellLeaks, leaks: leaks})
	}
}

// tickIdle does with e, which was idle a moment ago, what the janitor decides.
func (c *core[C]) tickIdle(e *entry[C], f facts) {
	switch c.janitor.judge(f) {
	case endLife:
		if c.closing.retireIdle(e, ByLifetime) {
			c.janitor.closed()
		}
	case endIdle:
		if e.word.Load()&^mark == e.seen && c.closing.retireIdle(e, ByIdleTime) {
			c.janitor.closed()
		}
	case refresh:
		if !c.keepAlive(e) && c.janitor.stale(f) {
			c.roster.mark(e)
		}
	case distrust:
		c.roster.mark(e)
	}
}

func (e *entry[C]) factsLocked(now time.Duration) facts {
	return facts{
		unchanged: now - e.seenAt,
		unchecked: now - max(e.seenAt, e.checkedAt),
		sinceSeen: now - e.checkedAt,
		outlived:  e.lifetime > 0 && now-e.born >= e.lifetime,
		idleLimit: e.idleLimit,
	}
}

type leak[C any] struct {
	value C
	info  Info
}

// lookLocked notes e's word, and when it changed, and returns it without mark.
func (e *entry[C]) lookLocked(now time.Duration) uint64 {
	w := e.word.Load() &^ mark
	if w != e.seen {
		if e.seen&stateMask == stateIdle && w == e.seen+useOne+stateLent {
			e.idleFrom, e.idleFor = e.seenAt, now-e.seenAt
		} else {
			e.idleFrom, e.idleFor = now, 0
		}
		e.seen, e.seenAt = w, now
	}
	return w
}

// keepAlive begins a check of e if e is idle, no Acquire waits and few others are
// checked.
func (c *core[C]) keepAlive(e *entry[C]) bool {
	if c.waiters.paused || c.waiters.n > 0 || !c.janitor.mayRefresh(len(c.roster.all())) || !e.seize() {
		return false
	}
	c.roster.unmark(e)
	c.janitor.refreshing++
	c.checks.hold(e, heldJob[C]{check: true, keep: true})
	return true
}
