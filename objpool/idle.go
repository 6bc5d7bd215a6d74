package objpool

import (
	"fmt"
	"runtime/debug"
	"time"
)

// idleTrim is the state of IdleTTL, guarded by Pool.mu.
type idleTrim struct {
	timer *time.Timer // nil before the first object
	armed bool        // the timer runs
	low   int         // least number of central objects since the last tick
	err   error       // the first panic of OnDiscard in a tick
}

// PanicError reports a panic of OnDiscard on the pool's own timer, where no caller
// could recover it. The pool contains it, counts it in Stats.Panics, and Close
// returns the first.
type PanicError struct {
	Pool  string // Config.Name
	Value any    // what was passed to panic
	Stack []byte // of the panic
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("objpool: pool %q: OnDiscard panicked: %v\n%s", e.Pool, e.Value, e.Stack)
}

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// armIdle starts the timer when the first object comes. The caller holds mu.
func (p *Pool[T]) armIdle() {
	if p.cfg.IdleTTL == 0 || p.idle.armed || p.closed {
		return
	}
	p.idle.armed = true
	p.idle.low = 0
	if p.idle.timer == nil {
		p.idle.timer = time.AfterFunc(p.cfg.IdleTTL, p.tick)
	} else {
		p.idle.timer.Reset(p.cfg.IdleTTL)
	}
}

func (p *Pool[T]) stopIdle() {
	if p.idle.timer != nil {
		p.idle.timer.Stop()
	}
	p.idle.armed = false
}

// tick discards what was not needed since the last tick: as many central objects as
// there always were, and the objects of magazines that nobody touched. The timer
// stops when nothing is left, so that a forgotten pool can be collected.
func (p *Pool[T]) tick() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	spare := p.idle.low
	untouched, n := p.untouched()
	if untouched {
		p.gather()
		spare += n
	}
	out := p.drop(spare, ReasonExpired)
	p.idle.low = len(p.items)
	if len(p.items) == 0 && p.granted == 0 {
		p.idle.armed = false
	} else {
		p.idle.timer.Reset(p.cfg.IdleTTL)
	}
	p.mu.Unlock()

	defer func() {
		if v := recover(); v != nil {
			p.mu.Lock()
			p.books.panics++
			if p.idle.err == nil {
				p.idle.err = &PanicError{Pool: p.cfg.Name, Value: v, Stack: debug.Stack()}
			}
			p.mu.Unlock()
		}
	}()
	p.discardAll(out, ReasonExpired)
}

// untouched reports whether a magazine with capacity was not used since the last
// tick, and how many objects such magazines hold. It starts the next round.
func (p *Pool[T]) untouched() (found bool, objects int) {
	for _, m := range p.magazines() {
		if p.stripes != nil {
			m.mu.Lock()
		}
		s := m.load()
		if m.capacity > 0 && s == m.tick {
			found = true
			objects += int(s & lenMask)
		}
		if m != p.none {
			m.tick = s
		}
		if p.stripes != nil {
			m.mu.Unlock()
		}
	}
	return found, objects
}
