package connpool

import "time"

// runJanitor enforces the limits of time until the pool closes.
func (p *Pool[C]) runJanitor() {
	t := time.NewTicker(p.cfg.Tick)
	defer t.Stop()
	for {
		select {
		case <-p.functions.ctx.Done():
			return
		case <-t.C:
			p.tick()
		}
	}
}

// tick looks at every connection once. Borrowers read no clock: a word that is the
// same as at an earlier look means that nobody borrowed or returned the connection
// since then, so that its idle or loan time is at least the time between.
func (p *Pool[C]) tick() {
	var leaks []leak[C]
	p.mu.Lock()
	if p.closed {
		p.unlock()
		return
	}
	now := p.now()
	conns := p.roster.all()
	idle := 0
	for _, e := range conns {
		if e.lookLocked(now)&stateMask == stateIdle {
			idle++
		}
	}
	late := p.janitor.begin(time.Now().Round(0), len(conns), idle, p.closing.n())
	for _, e := range conns {
		switch e.seen & stateMask {
		case stateIdle:
			if late {
				p.roster.mark(e)
			}
			p.tickIdleLocked(e, e.factsLocked(now))
		case stateLent:
			if e.reason == 0 && e.factsLocked(now).outlived {
				p.condemnLocked(e, ByLifetime)
			}
			if p.janitor.leaks(now-e.seenAt) && e.leaked != e.seen {
				e.leaked = e.seen
				p.n.leaked++
				leaks = append(leaks, leak[C]{e.value, e.infoLocked(now)})
			}
		}
	}
	p.stock.look()
	p.provideLocked()
	if f := p.cfg.OnLeaked; f != nil && len(leaks) > 0 {
		p.goLocked(func() {
			for _, l := range leaks {
				p.functions.hookApart("OnLeaked", func() { f(l.value, l.info) })
			}
		})
	}
	p.unlock()
}

// tickIdleLocked does with e, which was idle a moment ago, what the janitor decides.
func (p *Pool[C]) tickIdleLocked(e *entry[C], f facts) {
	switch p.janitor.judge(f) {
	case endLife:
		if p.retireIdleLocked(e, ByLifetime) {
			p.janitor.closed()
		}
	case endIdle:
		if e.word.Load()&^mark == e.seen && p.retireIdleLocked(e, ByIdleTime) {
			p.janitor.closed()
		}
	case refresh:
		if !p.keepAliveLocked(e) && p.janitor.stale(f) {
			p.roster.mark(e)
		}
	case distrust:
		p.roster.mark(e)
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

// keepAliveLocked starts a check of e if it is idle, nobody waits and few others are
// checked.
func (p *Pool[C]) keepAliveLocked(e *entry[C]) bool {
	if p.waiters.paused || p.waiters.n > 0 || !p.janitor.mayRefresh(len(p.roster.all())) || !e.seize() {
		return false
	}
	p.roster.unmark(e)
	p.holdLocked(e, heldJob[C]{check: true, keep: true})
	return true
}
