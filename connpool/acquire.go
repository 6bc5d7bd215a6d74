package connpool

import (
	"context"
	"errors"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/rt"
)

// Acquire lends a connection: an idle one at once, else it waits for the first of
// one that is returned, one that a dial opens, and one that a check found fit.
// Waiters are served in the order in which they came.
//
// When ctx ends, Acquire returns a [*WaitError] that wraps ctx's error and its cause,
// and leaves no trace: what it asked for serves others. A ctx that is done already wins over
// an idle connection. When the dial that was begun for this call fails, that error
// is returned. Close makes all waiting calls return [ErrClosed]. A full queue gives
// [ErrFull], an open circuit breaker [ErrBreakerOpen]. A nil ctx panics.
func (p *Pool[C]) Acquire(ctx context.Context) (Conn[C], error) {
	if p.gate.Load()&gateAcquire != 0 || ctx == nil || ctx.Err() != nil {
		return p.acquireSlow(ctx)
	}
	i := rt.Pin() // rt.Stripe is a call more (connpool/uncontended)
	rt.Unpin()
	if e := p.roster.hints[i&p.roster.hintMask].e.Load(); e != nil {
		w := e.word.Load()
		if w&lowBits == stateIdle && w&timedMask != 0 && e.word.CompareAndSwap(w, w+useOne+stateLent) {
			return Conn[C]{e, w + useOne + stateLent}, nil
		}
	}
	return p.acquireSlow(ctx)
}

// TryAcquire lends an idle connection or returns at once with [ErrNotReady], and
// then has one dialed (or checked) in the background if there is room and none is
// under way, so that a later call may succeed; the ctx of that dial carries no
// values. It does not overtake waiters. In a Keyed at MaxTotal, the slot comes from a
// connection of another key that has been idle for a second: a call that does not
// wait takes no younger one.
// Returns [ErrPaused] while the pool is paused and [ErrClosed] after Close.
//
// ErrNotReady means that at some moment of the call no connection was ready, or
// another call waited. A connection that was granted to a waiter whose ctx ended at
// that moment is not ready until the pool has taken it back.
func (p *Pool[C]) TryAcquire() (Conn[C], error) {
	c, err := p.tryAcquire()
	if err == nil {
		c.begin()
	}
	return c, err
}

func (p *Pool[C]) tryAcquire() (Conn[C], error) {
	if p.gate.Load()&gateStop == 0 {
		if c, ok := p.roster.grab(); ok {
			return c, nil
		}
	}
	p.mu.Lock()
	defer p.unlock()
	return p.core.try()
}

// AcquireAllIdle lends the connections that it finds idle, looking at each once:
// none while others wait, or while the pool is paused or closed. It does not check
// them first.
func (p *Pool[C]) AcquireAllIdle() []Conn[C] {
	var all []Conn[C]
	p.mu.Lock()
	if p.gate.Load()&gateStop == 0 {
		all = p.roster.grabAll()
	}
	p.unlock()
	begun := 0
	defer func() { // OnAcquired may end this goroutine, which will then see none of them
		if begun < len(all) {
			for i, c := range all {
				if i != begun { // begin has destroyed that one
					c.ReleaseUnused()
				}
			}
		}
	}()
	for _, c := range all {
		c.begin()
		begun++
	}
	return all
}

func (p *Pool[C]) acquireSlow(ctx context.Context) (Conn[C], error) {
	ctxerr.NotNil(ctx, "connpool")
	if ctx.Err() != nil {
		return Conn[C]{}, p.ended(ctx, 0)
	}
	if p.gate.Load()&gateStop == 0 {
		if c, ok := p.roster.grab(); ok {
			c.begin()
			return c, nil
		}
	}
	c, err := p.wait(ctx)
	if err == nil {
		c.begin()
	}
	return c, err
}

// wait queues the caller, starts what may serve it, and waits.
func (p *Pool[C]) wait(ctx context.Context) (Conn[C], error) {
	w := p.spares.get(ctx)
	p.lock()
	c, nth, err := p.core.queue(w)
	p.unlock()
	if nth == 0 {
		p.spares.put(w)
		return c, err
	}
	start := p.core.clock.now()
	if w.done == nil { // spares the select
		<-w.ch
	} else {
		select {
		case <-w.ch:
		case <-w.done:
			err = p.abandon(w, p.core.clock.now()-start)
		}
	}
	p.times.waited(nth, p.core.clock.now()-start)
	if err != nil {
		return Conn[C]{}, err
	}
	c, err = w.conn, w.err
	p.spares.put(w)
	return c, err
}

// abandon ends the wait of w, whose ctx has ended. If w was granted a connection
// meanwhile, abandon gives that back.
func (p *Pool[C]) abandon(w *waiter[C], waited time.Duration) error {
	p.lock()
	granted := p.core.leave(w)
	p.unlock()
	if granted {
		<-w.ch // under way: it was granted under mu
		if w.err == nil {
			p.mu.Lock()
			p.core.undelivered(w.conn)
			p.unlock()
		}
	}
	ctx := w.ctx
	p.spares.put(w)
	return p.ended(ctx, waited)
}

// ended returns the error of an Acquire whose ctx has ended, and counts it. Methods of the
// ctx, and of its cause, are the user's: they are called with no lock held, and when nothing
// depends on their return any more.
func (p *Pool[C]) ended(ctx context.Context, waited time.Duration) error {
	err := ctxerr.From(ctx)
	late := errors.Is(err, context.DeadlineExceeded)
	p.lock()
	e := p.core.waitError(err, late, waited)
	p.unlock()
	return p.core.share.explain(e)
}
