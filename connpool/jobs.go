package connpool

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/pprof"
	"time"
)

// run does a job of core's.
func (p *Pool[C]) run(j job[C]) {
	defer func() { // also when a function of Config ends this goroutine
		p.mu.Lock()
		p.core.ended()
		p.unlock()
	}()
	if p.labels != nil {
		pprof.SetGoroutineLabels(p.labels)
	}
	switch j.kind {
	case jobTicks:
		p.runTicks()
	case jobDial:
		p.runDial(j.dial)
	case jobHeld:
		p.runHeld(j.e, j.held)
	case jobClose:
		p.runClose(j.e, j.cause)
	case jobTellBreaker:
		p.tellBreaker()
	case jobTellLeaks:
		for _, l := range j.leaks {
			p.functions.hookApart("OnLeaked", func() { p.cfg.OnLeaked(l.value, l.info) })
		}
	}
}

// runTicks has time enforce its limits until the pool closes.
func (p *Pool[C]) runTicks() {
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

func (p *Pool[C]) tick() {
	p.mu.Lock()
	p.core.tick(time.Now().Round(0))
	p.unlock()
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

func (p *Pool[C]) runDial(j *dialJob[C]) {
	ctx, cancel := p.functions.timeout(p.cfg.DialTimeout)
	start := p.core.clock.now()
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
	took, timed := time.Duration(0), false
	defer func() {
		p.mu.Lock()
		p.core.dialed(j, e, took, err)
		if timed { // after it was counted, and before anybody is told
			p.times.dial.Record(took)
		}
		p.unlock()
	}()
	p.functions.contain("Dial", &err, func() { e.value, err = p.cfg.Dial(dialCtx{ctx, j.values}) })
	now := p.core.clock.now()
	took, timed = now-start, true
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
		p.core.number(e)
		info := e.infoLocked(now)
		p.mu.Unlock()
		p.functions.hook("OnDialed", func() { f(e.value, info) })
	}
}

// runHeld runs Check or Reset.
func (p *Pool[C]) runHeld(e *entry[C], j heldJob[C]) {
	err := errGoexit
	defer func() {
		p.mu.Lock()
		info, failed := p.core.held(e, j, err)
		p.unlock()
		if hook := p.cfg.OnCheckFailed; failed && hook != nil {
			p.functions.hook("OnCheckFailed", func() { hook(e.value, info, err) })
		}
	}()
	ctx, cancel := p.functions.timeout(p.cfg.CheckTimeout)
	defer cancel()
	name, f := "Reset", p.cfg.Reset
	if j.check {
		name, f = "Check", p.cfg.Check
	}
	p.functions.contain(name, &err, func() { err = f(ctx, e.value) })
}

// runClose runs Close.
func (p *Pool[C]) runClose(e *entry[C], cause error) {
	err := errGoexit
	defer func() {
		p.mu.Lock()
		info := p.core.closeEnded(e, err)
		p.unlock()
		if f := p.cfg.OnClosed; f != nil {
			p.functions.hook("OnClosed", func() { f(e.value, info, errors.Join(cause, err)) })
		}
	}()
	p.functions.contain("Close", &err, func() { err = p.cfg.Close(e.value) })
}

// tellBreaker calls OnBreaker until there are no news.
func (p *Pool[C]) tellBreaker() {
	for {
		p.mu.Lock()
		news := p.core.dialer.takeNews()
		p.unlock()
		if len(news) == 0 {
			return
		}
		for _, s := range news {
			p.functions.hookApart("OnBreaker", func() { p.cfg.OnBreaker(s) })
		}
	}
}
