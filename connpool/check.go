package connpool

import (
	"context"
	"time"
)

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
	j := checkJob[C]{waiter: p.waiters.first()}
	if j.waiter != nil {
		j.turn = j.waiter.turn
		p.claimLocked(j.waiter, false)
	}
	p.checkLocked(p.roster.takeMarked(), j)
	return true
}

// checkJob is a check under way.
type checkJob[C any] struct {
	waiter *waiter[C] // the one that asked; nil for keep-alive and TryAcquire
	turn   uint64     // waiter.turn then
	keep   bool       // keep-alive: counted in Pool.keeping
}

// checkLocked checks e, which the pool holds.
func (p *Pool[C]) checkLocked(e *entry[C], j checkJob[C]) {
	e.phase = StateChecking
	if j.waiter == nil {
		p.waiters.returning++
	}
	if j.keep {
		p.keeping++
	}
	p.goLocked(func() {
		err := errGoexit
		defer func() { p.checkDone(e, j, err) }()
		p.run("Check", &err, p.cfg.Check, e)
	})
}

// checkDone files the outcome of a check.
func (p *Pool[C]) checkDone(e *entry[C], j checkJob[C], err error) {
	p.mu.Lock()
	if j.keep {
		p.keeping--
	}
	p.n.checks++
	e.checkedAt = p.now()
	failed := p.heldDoneLocked(e, err, true)
	if failed {
		p.suspectLocked()
	}
	if w := j.waiter; w == nil {
		p.waiters.returned()
	} else if w.turn == j.turn && w.state == waitQueued {
		p.waiters.unclaim(w)
	}
	p.provideLocked()
	p.unlock()
	p.checkFailed(e, failed, err)
}

// resetLocked resets e, which the pool holds, before it is lent again.
func (p *Pool[C]) resetLocked(e *entry[C]) {
	e.phase = StateResetting
	p.waiters.returning++
	p.goLocked(func() {
		err := errGoexit
		defer func() {
			p.mu.Lock()
			failed := p.heldDoneLocked(e, err, false)
			p.waiters.returned()
			p.provideLocked()
			p.unlock()
			p.checkFailed(e, failed, err)
		}()
		p.run("Reset", &err, p.cfg.Reset, e)
	})
	p.provideLocked() // a waiter may rely on the reset now
}

// heldDoneLocked returns e from a check or reset, or closes it, and reports
// whether err was to blame.
func (p *Pool[C]) heldDoneLocked(e *entry[C], err error, checked bool) (failed bool) {
	if err == nil || p.closed {
		p.returnLocked(e, checked)
		return false
	}
	p.n.checkFailures++
	p.retireLocked(e, ByCheck, err)
	return true
}

func (p *Pool[C]) checkFailed(e *entry[C], failed bool, err error) {
	f := p.cfg.OnCheckFailed
	if !failed || f == nil {
		return
	}
	p.mu.Lock()
	info := e.infoLocked(p.now())
	p.mu.Unlock()
	p.functions.hook("OnCheckFailed", func() { f(e.value, info, err) })
}

func (p *Pool[C]) run(name string, err *error, f func(context.Context, C) error, e *entry[C]) {
	ctx, cancel := p.timeout(p.cfg.CheckTimeout)
	defer cancel()
	p.functions.contain(name, err, func() { *err = f(ctx, e.value) })
}

// suspectLocked has every connection checked before its next loan: when one is found
// broken, the server may have dropped the others too.
func (p *Pool[C]) suspectLocked() {
	if p.cfg.Check != nil {
		p.roster.suspect()
	}
}
