package objpool

import (
	"context"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

// idleTrim is the state of IdleTimeout, guarded by Pool.mu.
//
// Each tick drops what was not needed since the last one: central.low objects. To see
// what magazines do not need, it recalls all of them; their owners start anew and take
// what they need.
//
// A timer made within a bubble of testing/synctest belongs to the bubble: it dies with
// it, and to stop or reset it from outside is a fatal error. So
//
//   - a pool made outside has no timer while it is used in a bubble, and gets one when
//     it is used outside again;
//   - the timer of a pool made in a bubble is never stopped, only ignored, and counts
//     as dead for every goroutine outside, and for one that finds it overdue.
type idleTrim struct {
	bubble bool        // the pool was made in a bubble
	timer  *time.Timer // nil before the first object
	armed  bool        // the timer runs
	inside bool        // the timer was made in a bubble
	due    time.Time   // when the timer ends, as the clock there has it
	round  uint64      // which timer counts
	err    error       // the first panic of OnDiscard in a tick
}

// inBubble reports whether now was read in a bubble: only there does a time have no
// reading of the monotonic clock (see the documentation of package time on Round).
func inBubble(now time.Time) bool { return now == now.Round(0) }

// armIdle starts the timer when the first object comes, or anew if the timer is dead.
// The caller holds mu.
func (p *Pool[T]) armIdle() {
	t := &p.idle
	if p.cfg.IdleTimeout == 0 || t.armed && !t.inside || p.closed {
		return
	}
	now := time.Now()
	inside := inBubble(now)
	if inside && (!t.bubble || t.armed && !now.After(t.due)) {
		return
	}
	t.armed, t.inside = true, inside
	t.round++
	t.due = now.Add(p.cfg.IdleTimeout)
	p.central.low = 0
	round := t.round
	t.timer = time.AfterFunc(p.cfg.IdleTimeout, func() {
		if p.cfg.Name == "" {
			p.tick(round)
			return
		}
		pprof.Do(context.Background(), pprof.Labels("poundlock", p.cfg.Name),
			func(context.Context) { p.tick(round) })
	})
}

func (p *Pool[T]) stopIdle() {
	if p.idle.timer != nil && !p.idle.inside {
		p.idle.timer.Stop()
	}
	p.idle.armed = false
	p.idle.round++
}

// tick discards what was not needed since the last tick, and recalls all magazines.
// The timer stops when nothing is left, so that a forgotten pool can be collected.
func (p *Pool[T]) tick(round uint64) {
	p.mu.Lock()
	if p.closed || round != p.idle.round {
		p.mu.Unlock()
		return
	}
	c := &p.central
	out := p.drop(c.low, ReasonExpired)
	p.recallIdle()
	c.low = len(c.items) + c.away
	if len(c.items) == 0 && c.lent == 0 {
		p.idle.armed = false
	} else {
		p.idle.due = p.idle.due.Add(p.cfg.IdleTimeout)
		p.idle.timer.Reset(p.cfg.IdleTimeout)
	}
	p.mu.Unlock()

	defer func() {
		if v := recover(); v != nil {
			p.mu.Lock()
			p.books.panics++
			if p.idle.err == nil {
				p.idle.err = &PanicError{
					Package: "objpool", Name: p.cfg.Name, Func: "OnDiscard", Value: v, Stack: debug.Stack(),
				}
			}
			p.mu.Unlock()
		}
	}()
	p.discardAll(out, ReasonExpired)
}

// recallIdle asks all magazines for what they hold, and notes how much that is. The
// caller holds mu.
func (p *Pool[T]) recallIdle() {
	c := &p.central
	if c.lent == 0 {
		return
	}
	p.prepare()
	if m := p.mags.enter(); m != p.mags.none { // the P that the timer runs on
		c.takeBack(m)
		p.leave(m)
	} else {
		p.mags.exit(m)
	}
	p.mags.recall(c, nil, func(int, int) bool { return true })
	for _, m := range p.mags.all() {
		if m.recalled {
			n := int(m.load() & lenMask) // once: the owner may still be in a pinned section
			c.away += n - m.away
			m.away = n
		}
	}
	p.setQuick()
}
