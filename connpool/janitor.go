package connpool

import "time"

// janitor enforces the limits of time until the pool closes.
func (p *Pool[C]) janitor() {
	t := time.NewTicker(p.cfg.Tick)
	defer t.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-t.C:
			p.tick()
		}
	}
}

// tick looks at every connection once. Borrowers read no clock: a word that is the
// same as at an earlier look tells that nobody borrowed or returned the connection
// since then, so that its idle or loan time is at least the time between.
func (p *Pool[C]) tick() {
	c := &p.cfg
	var leaks []leak[C]
	p.mu.Lock()
	if p.closed {
		p.unlock()
		return
	}
	now := p.now()
	conns := *p.conns.Load()
	if c.CheckAfterIdle > 0 && p.lateLookLocked() {
		for _, e := range conns {
			p.markLocked(e)
		}
	}
	closes := c.MaxClosing - p.closing // how many more may close for their age
	if c.MaxClosing < 0 {
		closes = len(conns)
	}
	idle := 0
	for _, e := range conns {
		if e.lookLocked(now)&stateMask == stateIdle {
			idle++
		}
	}
	for _, e := range conns {
		w, since := e.seen, now-e.seenAt
		old := e.lifetime > 0 && now-e.born >= e.lifetime
		switch w & stateMask {
		case stateIdle:
			switch {
			case old && closes > 0:
				if p.retireIdleLocked(e, ByLifetime, nil) {
					idle--
					closes--
				}
			case e.idleLimit > 0 && since >= e.idleLimit && closes > 0 &&
				idle > c.MinIdle && len(*p.conns.Load()) > c.MinOpen:
				if e.word.Load()&^mark == w && p.retireIdleLocked(e, ByIdleTime, nil) {
					idle--
					closes--
				}
			case c.KeepAlive > 0 && now-max(e.seenAt, e.checkedAt) >= c.KeepAlive && p.keepAliveLocked(e):
			case c.CheckAfterIdle > 0 && now-max(e.seenAt, e.checkedAt) >= c.CheckAfterIdle:
				p.markLocked(e)
			case c.CheckAfterIdle < 0 && now-e.checkedAt >= c.Tick:
				p.markLocked(e)
			}
		case stateLent:
			if old && e.reason == 0 {
				p.condemnLocked(e, ByLifetime)
			}
			if c.LeakAfter > 0 && since >= c.LeakAfter && e.leaked != w {
				e.leaked = w
				p.n.leaked++
				leaks = append(leaks, leak[C]{e.value, e.infoLocked(now)})
			}
		}
	}
	p.fillDue = c.fills()
	p.provideLocked()
	if f := c.Hooks.Leaked; f != nil && len(leaks) > 0 {
		p.goLocked(func() {
			for _, l := range leaks {
				p.hookApart("Hooks.Leaked", func() { f(l.value, l.info) })
			}
		})
	}
	p.unlock()
}

// lateLookLocked reports whether so long has passed since the last tick that what was
// fresh then is not fresh now, whatever its word says: the process was frozen. The
// wall clock tells that also where the machine slept and the monotonic clock with it.
func (p *Pool[C]) lateLookLocked() bool {
	last := p.lookedAt
	p.lookedAt = time.Now().Round(0)
	return p.lookedAt.Sub(last) >= after(p.cfg.CheckAfterIdle, p.cfg.Tick)
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

// keepAliveLocked starts a check of e if it is idle and few others are checked: a
// pool whose connections all go idle at once must not be busy with itself.
func (p *Pool[C]) keepAliveLocked(e *entry[C]) bool {
	if p.paused || p.queue.n > 0 || p.keeping >= max(len(*p.conns.Load())/4, 1) {
		return false
	}
	w := e.word.Load()
	if w&stateMask != stateIdle || !e.word.CompareAndSwap(w, w&^lowBits|stateHeld) {
		return false
	}
	p.unmarkLocked(e)
	p.checkLocked(e, checkJob[C]{keep: true})
	return true
}
