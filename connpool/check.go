package connpool

import "context"

// checkJob is a check under way.
type checkJob[C any] struct {
	waiter *waiter[C] // who asked; nil for keep-alive and TryAcquire
	turn   uint64     // waiter.turn then
	count  *int       // counts the checks of its kind, if there is no waiter
}

// checkOneLocked starts the check of an idle connection that needs one, on behalf
// of the first waiter for whom nothing is under way. Like a dial, the check is
// detached from its waiter: this connection alone hangs in it. Once the waiter is
// served by another, the next waiter does not rely on the check.
func (p *Pool[C]) checkOneLocked() bool {
	if p.marked == 0 {
		return false
	}
	j := checkJob[C]{waiter: p.unservedLocked()}
	if j.waiter != nil {
		j.turn = j.waiter.turn
		j.waiter.checking = true
		p.checking++
	} else {
		j.count = &p.trying
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

// uncheckLocked ends w's claim on a check.
func (p *Pool[C]) uncheckLocked(w *waiter[C]) {
	if w.checking {
		w.checking = false
		p.checking--
	}
}

// checkLocked checks e, which the pool holds.
func (p *Pool[C]) checkLocked(e *entry[C], j checkJob[C]) {
	e.phase = StateChecking
	if j.count != nil {
		*j.count++
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
	if w := j.waiter; w != nil && w.turn == j.turn && w.state == waitQueued {
		p.uncheckLocked(w)
	}
	if j.count != nil {
		*j.count--
	}
	p.n.checks++
	e.checkedAt = p.now()
	failed := p.heldDoneLocked(e, err, true)
	if failed {
		p.suspectLocked()
		p.provideLocked()
	}
	p.unlock()
	p.checkFailed(e, failed, err)
}

// resetLocked resets e, which the pool holds, before it is lent again.
func (p *Pool[C]) resetLocked(e *entry[C]) {
	e.phase = StateResetting
	p.goLocked(func() {
		err := errGoexit
		defer func() {
			p.mu.Lock()
			failed := p.heldDoneLocked(e, err, false)
			p.unlock()
			p.checkFailed(e, failed, err)
		}()
		p.run("Reset", &err, p.cfg.Reset, e)
	})
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

// suspectLocked has every idle connection checked before it is lent: when one
// is found broken, the server may have dropped the others too.
func (p *Pool[C]) suspectLocked() {
	for _, e := range *p.conns.Load() {
		p.markLocked(e)
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
