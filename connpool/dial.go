package connpool

import (
	"context"
	"math/rand/v2"
	"time"
)

// provideLocked starts the checks and dials that waiters, MinIdle and Warm lack,
// as far as the limits allow. It is called whenever one of these changed: somebody
// waits, a slot became free, a dial or check ended, time passed.
func (p *Pool[C]) provideLocked() {
	if p.marked|p.returning|p.returningClaims == 0 && p.openLocked() >= p.maxOpen || p.closed || p.paused {
		return // nothing to claim, no room: the usual case while many wait
	}
	p.claimReturningLocked()
	room := min(p.maxOpen-p.openLocked(), p.maxDialing()-p.dialing)
	for p.marked > 0 && p.queue.n > p.claims+p.dialing {
		if w := p.unservedLocked(); w != nil && w.impatient && room > 0 {
			break
		}
		p.checkOneLocked()
	}
	if room <= 0 {
		return
	}
	want := min(p.wantLocked()-p.dialing, room)
	for ; want > 0; want-- {
		if !p.mayDialLocked() {
			p.refusedLocked()
			return
		}
		if !p.dialLocked(p.unservedLocked()) {
			return
		}
	}
}

// wantLocked returns how many dials should be under way if nothing limited them.
func (p *Pool[C]) wantLocked() int {
	want := max(p.queue.n-p.claims, 0)
	if p.fillDue {
		p.fillDue = false
		lent := 0
		conns := *p.conns.Load()
		for _, e := range conns {
			if e.word.Load()&stateMask == stateLent {
				lent++
			}
		}
		want += max(p.cfg.MinIdle-(len(conns)-lent), 0)
	}
	for _, w := range p.warmers {
		want = max(want, w.n-len(*p.conns.Load()))
	}
	return want
}

func (p *Pool[C]) maxDialing() int {
	if p.cfg.MaxDialing == 0 {
		return p.maxOpen
	}
	return p.cfg.MaxDialing
}

// refusedLocked deals with waiters while the back-off or the breaker forbids a
// dial: they wait for its end, or fail at once if the breaker is open and no
// connection could come back to serve them.
func (p *Pool[C]) refusedLocked() {
	if p.guard.state == BreakerOpen && len(*p.conns.Load()) == 0 && p.dialing == 0 {
		err := &breakerError{p.guard.lastErr}
		p.grantAllLocked(err)
		p.endWarmersLocked(err)
		return
	}
	if p.queue.n > 0 || len(p.warmers) > 0 {
		p.armRetryLocked()
	}
}

// unservedLocked returns the first waiter for whom nothing is under way, or nil.
func (p *Pool[C]) unservedLocked() *waiter[C] {
	for w := range p.queue.all { // at most MaxOpen are passed over
		if !w.dialing && !w.claims {
			return w
		}
	}
	return nil
}

// dialJob is a dial under way. It is detached from the Acquire that asked for it:
// that one may be served by somebody else, or leave, and the dial goes on.
type dialJob[C any] struct {
	epoch  uint64
	waiter *waiter[C] // who asked; nil for MinIdle, Warm and TryAcquire
	turn   uint64     // waiter.turn then
	values context.Context
}

// dialLocked starts a dial, and reports false if the limiter has no slot for it.
func (p *Pool[C]) dialLocked(w *waiter[C]) bool {
	if p.limit != nil && !p.limit.take(p) {
		p.short = true
		return false
	}
	j := dialJob[C]{epoch: p.epoch, waiter: w}
	if w != nil {
		w.dialing = true
		j.turn, j.values = w.turn, w.ctx
	}
	p.dialing++
	p.goLocked(func() { p.dial(j) })
	return true
}

// dialCtx lives as long as the pool lets a dial live, and has the values of the
// ctx of the Acquire that asked for it (for traces).
type dialCtx struct {
	context.Context
	values context.Context
}

func (c dialCtx) Value(key any) any {
	if v := c.Context.Value(key); v != nil || c.values == nil {
		return v
	}
	return c.values.Value(key)
}

func (p *Pool[C]) dial(j dialJob[C]) {
	ctx, cancel := p.timeout(p.cfg.DialTimeout)
	start := p.now()
	e := &entry[C]{pool: p, epoch: j.epoch}
	err := errGoexit
	failed := p.cfg.Hooks.DialFailed
	defer func() {
		cancel()
		if err != nil && failed != nil {
			p.hook("Hooks.DialFailed", func() { failed(err) })
		}
	}()
	defer func() { p.dialDone(j, e, err) }()
	p.contain("Dial", &err, func() { e.value, err = p.cfg.Dial(dialCtx{ctx, j.values}) })
	now := p.now()
	p.dialTime.get().Record(now - start)
	e.born, e.seenAt, e.checkedAt = now, now, now
	if p.cfg.MaxLifetime > 0 { // drawn once: a limit drawn at each look would meet its minimum soon
		e.lifetime = p.cfg.MaxLifetime
		if jitter := p.cfg.LifetimeJitter; jitter > 0 {
			e.lifetime -= rand.N(jitter)
		}
	}
	if f := p.cfg.Hooks.Dialed; f != nil && err == nil {
		p.mu.Lock()
		p.nextID++
		e.id = p.nextID
		info := e.infoLocked(now)
		p.mu.Unlock()
		p.hook("Hooks.Dialed", func() { f(e.value, info) })
	}
}

// timeout returns a ctx of the pool's that ends after d, if d is not 0.
func (p *Pool[C]) timeout(d time.Duration) (context.Context, context.CancelFunc) {
	if d > 0 {
		return context.WithTimeout(p.ctx, d)
	}
	return p.ctx, func() {}
}

// dialDone files the outcome of a dial.
func (p *Pool[C]) dialDone(j dialJob[C], e *entry[C], err error) {
	p.mu.Lock()
	defer p.unlock()
	p.dialing--
	asked := j.waiter
	if asked != nil && (asked.turn != j.turn || asked.state != waitQueued) {
		asked = nil // served or gone since
	}
	if asked != nil {
		asked.dialing = false
	}
	p.n.dials++
	if !p.closed {
		p.dialedLocked(err)
	}
	if err != nil {
		p.n.dialErrors++
		if asked != nil {
			p.grantLocked(asked, Conn[C]{}, dialError(err))
		} else {
			p.endWarmersLocked(dialError(err))
		}
		if p.limit != nil {
			p.freed++
		}
		// Not freeSlotLocked: a failed dial for MinIdle is tried again at the next
		// tick, not at once.
		p.surplusLocked()
		p.provideLocked()
		p.drainLocked()
		return
	}
	if e.id == 0 {
		p.nextID++
		e.id = p.nextID
	}
	if why := p.unwantedLocked(e); why != 0 {
		p.discardLocked(e, why, nil)
		p.provideLocked()
		return
	}
	p.addLocked(e)
	p.fillDue = p.cfg.MinIdle > 0
	p.endWarmersLocked(nil)
	if w := p.headLocked(); w != nil {
		p.n.misses++
		p.lendLocked(e, 0, w)
		p.provideLocked()
		return
	}
	e.stamp.Store(p.returned.Add(1))
	p.returnLocked(e, true)
}

// unwantedLocked returns why a connection just dialed is not wanted any more, or 0.
func (p *Pool[C]) unwantedLocked(e *entry[C]) Reason {
	switch {
	case p.closed:
		return ByClose
	case e.epoch != p.epoch:
		return ByReset
	case p.openLocked()-p.closing+1 > p.maxOpen:
		return ByResize
	}
	return 0
}

// addLocked makes e one of the pool's connections.
func (p *Pool[C]) addLocked(e *entry[C]) {
	e.word.Store(stateHeld)
	old := *p.conns.Load()
	conns := make([]*entry[C], len(old)+1)
	copy(conns, old)
	conns[len(old)] = e
	p.conns.Store(&conns)
	p.surplusLocked()
}
