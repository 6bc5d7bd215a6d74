package connpool

import (
	"context"
	"time"
)

// claimTime is how long a waiter relies on a check or reset that is under way.
// After that a dial is begun for it, if there is room: what takes so long may hang.
const claimTime = 100 * time.Millisecond

// claimLocked lets w rely on a check or reset, so that no dial is begun for it.
// returning says that it began for nobody.
func (p *Pool[C]) claimLocked(w *waiter[C], returning bool) {
	w.claims, w.returning = true, returning
	p.claims++
	if returning {
		p.returningClaims++
	}
	turn := w.turn
	w.timer = time.AfterFunc(claimTime, func() {
		p.mu.Lock()
		if w.turn == turn && w.state == waitQueued {
			p.unclaimLocked(w)
			w.impatient = true
			p.provideLocked()
		}
		p.unlock()
	})
}

// unclaimLocked ends w's claim, if it has one.
func (p *Pool[C]) unclaimLocked(w *waiter[C]) {
	if !w.claims {
		return
	}
	w.claims = false
	p.claims--
	if w.returning {
		p.returningClaims--
	}
	w.timer.Stop()
	w.timer = nil
}

// claimReturningLocked lets waiters rely on the checks and resets that began for
// nobody, while there are enough of these, and on no more.
func (p *Pool[C]) claimReturningLocked() {
	for p.returningClaims < p.returning && p.queue.n > p.claims+p.dialer.supply() {
		w := p.unservedLocked()
		if w == nil || w.impatient {
			return
		}
		p.claimLocked(w, true)
	}
}

// returnedLocked ends a check or reset that began for nobody. Who relied on it, and
// on no other, relies on nothing now; the caller provides.
func (p *Pool[C]) returnedLocked() {
	p.returning--
	for w := p.queue.head; p.returningClaims > p.returning; w = w.next {
		if w.claims && w.returning {
			p.unclaimLocked(w)
		}
	}
}

// checkOneLocked starts the check of an idle connection that needs one, on behalf
// of the first waiter for whom nothing is under way. Like a dial, the check is
// detached from its waiter: this connection alone hangs in it. Once the waiter is
// served by another, or has lost patience, nobody relies on the check.
func (p *Pool[C]) checkOneLocked() bool {
	if p.marked == 0 {
		return false
	}
	j := checkJob[C]{waiter: p.unservedLocked()}
	if j.waiter != nil {
		j.turn = j.waiter.turn
		p.claimLocked(j.waiter, false)
	}
	for _, e := range *p.conns.Load() {
		if e.marked {
			p.unmarkLocked(e)
			e.word.Store(e.word.Load()&^lowBits | stateHeld)
			p.checkLocked(e, j)
			return true
		}
	}
	panic("connpool: marked connections are miscounted")
}

// checkJob is a check under way.
type checkJob[C any] struct {
	waiter *waiter[C] // who asked; nil for keep-alive and TryAcquire
	turn   uint64     // waiter.turn then
	keep   bool       // keep-alive: counted in Pool.keeping
}

// checkLocked checks e, which the pool holds.
func (p *Pool[C]) checkLocked(e *entry[C], j checkJob[C]) {
	e.phase = StateChecking
	if j.waiter == nil {
		p.returning++
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
		p.returnedLocked()
	} else if w.turn == j.turn && w.state == waitQueued {
		p.unclaimLocked(w)
	}
	p.provideLocked()
	p.unlock()
	p.checkFailed(e, failed, err)
}

// resetLocked resets e, which the pool holds, before it is lent again.
func (p *Pool[C]) resetLocked(e *entry[C]) {
	e.phase = StateResetting
	p.returning++
	p.goLocked(func() {
		err := errGoexit
		defer func() {
			p.mu.Lock()
			failed := p.heldDoneLocked(e, err, false)
			p.returnedLocked()
			p.provideLocked()
			p.unlock()
			p.checkFailed(e, failed, err)
		}()
		p.run("Reset", &err, p.cfg.Reset, e)
	})
	p.provideLocked() // who waits already may rely on it
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
	f := p.cfg.Hooks.CheckFailed
	if !failed || f == nil {
		return
	}
	p.mu.Lock()
	info := e.infoLocked(p.now())
	p.mu.Unlock()
	p.hook("Hooks.CheckFailed", func() { f(e.value, info, err) })
}

func (p *Pool[C]) run(name string, err *error, f func(context.Context, C) error, e *entry[C]) {
	ctx, cancel := p.timeout(p.cfg.CheckTimeout)
	defer cancel()
	p.contain(name, err, func() { *err = f(ctx, e.value) })
}

// suspectLocked has every connection checked before its next loan: when one is found
// broken, the server may have dropped the others too.
func (p *Pool[C]) suspectLocked() {
	if p.cfg.Check == nil {
		return
	}
	for _, e := range *p.conns.Load() {
		p.markLocked(e)
		if !e.marked { // on loan, or held
			e.setMark(stateLent) // so that its return looks
			e.suspect = true
		}
	}
}

// markLocked has e checked before it is lent, if it is idle.
func (p *Pool[C]) markLocked(e *entry[C]) {
	if !e.marked && e.setMark(stateIdle) {
		e.marked = true
		p.marked++
	}
}

func (p *Pool[C]) unmarkLocked(e *entry[C]) {
	if e.marked {
		e.marked = false
		p.marked--
	}
}
