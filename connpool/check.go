package connpool

import "time"

// claimTime is how long a waiter relies on a check or reset that is under way. After
// that the pool starts a dial for the waiter, if there is room: the check may hang.
const claimTime = 100 * time.Millisecond

// claimLocked lets w rely on a check or reset, so that no dial is begun for it.
// returning says that it began for nobody.
func (p *Pool[C]) claimLocked(w *waiter[C], returning bool) {
	turn := w.turn
	p.waiters.claim(w, returning, time.AfterFunc(claimTime, func() {
		p.mu.Lock()
		if w.turn == turn && w.state == waitQueued {
			p.waiters.unclaim(w)
			w.impatient = true
			p.provideLocked()
		}
		p.unlock()
	}))
}

// claimReturningLocked assigns checks and resets that began for nobody to waiters
// that have nothing to rely on, one to each.
func (p *Pool[C]) claimReturningLocked() {
	for p.waiters.mayClaim() && p.waiters.unserved() > 0 {
		w := p.waiters.first()
		if w == nil || w.impatient {
			return
		}
		p.claimLocked(w, true)
	}
}

// checkOneLocked starts the check of an idle connection that needs one, on behalf
// of the first waiter for whom nothing is under way. Like a dial, the check is
// detached from its waiter: if it hangs, it holds up this connection alone. When the
// waiter gets another connection, or loses patience, nobody relies on the check.
func (p *Pool[C]) checkOneLocked() bool {
	if p.roster.marked == 0 {
		return false
	}
	j := heldJob[C]{check: true, waiter: p.waiters.first()}
	if j.waiter != nil {
		j.turn = j.waiter.turn
		p.claimLocked(j.waiter, false)
	}
	p.holdLocked(p.roster.takeMarked(), j)
	return true
}

// heldJob is a check or a reset of a connection that the pool holds.
type heldJob[C any] struct {
	check  bool       // else a reset
	keep   bool       // for KeepAlive: counted in janitor.refreshing
	waiter *waiter[C] // the one that asked; nil for keep-alive, TryAcquire and a reset
	turn   uint64     // waiter.turn then
}

// holdLocked has e, which the pool holds, checked or reset.
func (p *Pool[C]) holdLocked(e *entry[C], j heldJob[C]) {
	name, f := "Reset", p.cfg.Reset
	e.phase = StateResetting
	if j.check {
		name, f = "Check", p.cfg.Check
		e.phase = StateChecking
	}
	if j.waiter == nil {
		p.waiters.returning++
	}
	if j.keep {
		p.janitor.refreshing++
	}
	p.goLocked(func() {
		err := errGoexit
		defer func() { p.heldDone(e, j, err) }()
		ctx, cancel := p.functions.timeout(p.cfg.CheckTimeout)
		defer cancel()
		p.functions.contain(name, &err, func() { err = f(ctx, e.value) })
	})
}

// heldDone files the outcome of a check or reset: e is lent again, or closed.
func (p *Pool[C]) heldDone(e *entry[C], j heldJob[C], err error) {
	p.mu.Lock()
	if j.keep {
		p.janitor.refreshing--
	}
	if j.check {
		p.n.checks++
		e.checkedAt = p.now()
	}
	failed := err != nil && !p.closed
	var info Info
	if failed {
		p.n.checkFailures++
		p.retireLocked(e, ByCheck, err)
		if j.check {
			p.roster.suspect()
		}
		info = e.infoLocked(p.now())
	} else {
		p.returnLocked(e, j.check)
	}
	if w := j.waiter; w == nil {
		p.waiters.returned()
	} else if w.turn == j.turn && w.state == waitQueued {
		p.waiters.unclaim(w)
	}
	p.provideLocked()
	p.unlock()
	if hook := p.cfg.OnCheckFailed; failed && hook != nil {
		p.functions.hook("OnCheckFailed", func() { hook(e.value, info, err) })
	}
}
