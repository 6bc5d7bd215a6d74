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
	if p.roster.marked|p.waiters.returning|p.waiters.returningClaims == 0 && p.usageLocked().open() >= p.limits.maxOpen && !p.share.lacks || p.closed || p.waiters.paused {
		return // nothing to claim, no room: the usual case while many wait
	}
	p.share.lack(p.startLocked())
}

// startLocked does it, and reports whether somebody waits for a slot that the
// limiter does not have.
func (p *Pool[C]) startLocked() (lacks bool) {
	p.claimReturningLocked()
	for p.roster.marked > 0 && p.waiters.unserved() > 0 {
		if w := p.waiters.first(); w != nil && w.impatient && p.limits.room(p.usageLocked()) > 0 {
			break
		}
		p.checkOneLocked()
	}
	room := p.limits.room(p.usageLocked())
	if room <= 0 {
		return false
	}
	conns := len(p.roster.all())
	want := max(p.waiters.n-p.waiters.claims, 0)
	if p.stock.due {
		want += p.stock.lacks(conns, p.roster.count(stateLent))
	}
	want = max(want, p.warmers.most()-conns)
	for want = min(want-p.dialer.supply(), room); want > 0; want-- {
		if ok, again := p.mayDialLocked(); !ok {
			p.refusedLocked(again)
			return false
		}
		w := p.waiters.first()
		waits := w != nil || p.warmers.any()
		if !p.dialLocked(w, waits) {
			return waits
		}
	}
	return false
}

// mayDialLocked is dialer.mayDial; the clock is read once, and only after a failure.
func (p *Pool[C]) mayDialLocked() (ok bool, again time.Duration) {
	if p.dialer.failures == 0 {
		return true, 0
	}
	return p.dialer.mayDial(p.now())
}

// refusedLocked deals with waiters while the back-off or the breaker forbids a
// dial: they wait for its end, or fail at once if the breaker is open and no
// connection could come to serve them. again is what mayDial returned.
func (p *Pool[C]) refusedLocked(again time.Duration) {
	if p.dialer.state == BreakerOpen && len(p.roster.all()) == 0 && p.dialer.supply() == 0 {
		err := &breakerError{p.dialer.lastErr}
		p.waiters.grantAll(err)
		p.warmers.fail(err)
		return
	}
	if again == 0 || p.waiters.n == 0 && !p.warmers.any() {
		return // the end or the lateness of a dial under way looks again; MinIdle waits for a tick
	}
	if p.retry == nil {
		p.retry = time.AfterFunc(again, p.poke)
		return
	}
	p.retry.Reset(again)
}

// dialJob is a dial under way. It is detached from the Acquire that asked for it:
// that one may be served by somebody else, or leave, and the dial goes on.
type dialJob[C any] struct {
	epoch  uint64
	values context.Context
	shared bool // begun for nobody: MinIdle, Warm, TryAcquire

	// Guarded by Pool.mu.
	pending
	waiter *waiter[C]  // the one that relies on this dial; nil: none, or not any more
	timer  *time.Timer // ends the patience with it
}

// dialLocked starts a dial, and reports false if the limiter has no slot for it.
// waits says that somebody waits for it, w or a Warm.
func (p *Pool[C]) dialLocked(w *waiter[C], waits bool) bool {
	if !p.share.take(waits) {
		return false
	}
	j := &dialJob[C]{epoch: p.limits.epoch, waiter: w, shared: w == nil}
	if w != nil {
		if w.dial != nil {
			w.dial.waiter = nil // late: whether it fails does not matter any more
		}
		w.dial, j.values = j, w.ctx
	}
	j.timer = time.AfterFunc(p.dialer.patience(), func() {
		p.mu.Lock()
		p.dialer.giveUp(&j.pending)
		p.provideLocked()
		p.unlock()
	})
	p.dialer.begin()
	p.tellBreakerLocked()
	p.goLocked(func() { p.dial(j) })
	return true
}

// dialCtx lives as long as the pool lets a dial live, and has the values of the
// ctx of the Acquire that asked for it (for traces).
type dialCtx struct {
	context.Context
	values context.Context
}

// Value asks the pool's ctx first, then that of the Acquire.
func (c dialCtx) Value(key any) any {
	if v := c.Context.Value(key); v != nil || c.values == nil {
		return v
	}
	return c.values.Value(key)
}

func (p *Pool[C]) dial(j *dialJob[C]) {
	ctx, cancel := p.functions.timeout(p.cfg.DialTimeout)
	start := p.now()
	e := &entry[C]{pool: p, epoch: j.epoch}
	e.word.Store(stateHeld)
	e.seen = stateHeld
	err := errGoexit
	failed := p.cfg.OnDialFailed
	defer func() {
		cancel()
		if err != nil && failed != nil {
			p.functions.hook("OnDialFailed", func() { failed(err) })
		}
	}()
	took := time.Duration(0)
	defer func() { p.dialDone(j, e, took, err) }()
	p.functions.contain("Dial", &err, func() { e.value, err = p.cfg.Dial(dialCtx{ctx, j.values}) })
	now := p.now()
	took = now - start
	p.times.dial.Record(took)
	e.born, e.seenAt, e.checkedAt = now, now, now
	if p.cfg.MaxLifetime > 0 { // drawn once: a limit drawn at each look would meet its minimum soon
		e.lifetime = p.cfg.MaxLifetime
		if jitter := p.cfg.LifetimeJitter; jitter > 0 {
			e.lifetime -= rand.N(jitter)
		}
	}
	if e.idleLimit = p.cfg.IdleTimeout; e.idleLimit > 0 && p.cfg.IdleJitter > 0 {
		e.idleLimit -= rand.N(p.cfg.IdleJitter)
	}
	if f := p.cfg.OnDialed; f != nil && err == nil {
		p.mu.Lock()
		p.nextID++
		e.id = p.nextID
		info := e.infoLocked(now)
		p.mu.Unlock()
		p.functions.hook("OnDialed", func() { f(e.value, info) })
	}
}

// dialDone files the outcome of a dial.
func (p *Pool[C]) dialDone(j *dialJob[C], e *entry[C], took time.Duration, err error) {
	p.mu.Lock()
	defer p.unlock()
	j.timer.Stop() // its call, if under way, comes too late
	asked := j.waiter
	if asked != nil {
		j.waiter, asked.dial = nil, nil
	}
	p.n.dials++
	p.dialer.end(&j.pending, p.now(), took, err, !p.closed)
	p.tellBreakerLocked()
	if err != nil {
		p.n.dialErrors++
		if asked != nil {
			p.waiters.grant(asked, Conn[C]{}, dialError(p.cfg.Name, err))
		} else if j.shared {
			p.warmers.fail(dialError(p.cfg.Name, err))
		}
		p.share.free(false)
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
	u := p.usageLocked()
	u.conns++
	if why := p.doomLocked(e, u); why != 0 {
		e.word.Store(stateGone)
		p.discardLocked(e, why, nil)
		p.provideLocked()
		return
	}
	p.roster.add(e)
	p.surplusLocked()
	p.stock.look()
	p.warmers.reached(len(p.roster.all()))
	if w := p.waiters.next(); w != nil {
		p.n.misses++
		p.lendLocked(e, 0, w)
		p.provideLocked()
		return
	}
	e.stamp.Store(p.returned.Add(1))
	p.returnLocked(e, true)
}
