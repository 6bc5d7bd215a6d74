package connpool

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Pause makes Acquire wait and TryAcquire fail with [ErrPaused] from now on, and
// starts no dial or keep-alive, until [Pool.Resume]: for instance while the server
// fails over. What is on loan may be returned. Waiters may still be cancelled, and
// Close still ends the pool. Pause of a pool that is paused does nothing.
func (p *Pool[C]) Pause() {
	p.mu.Lock()
	p.core.pause(true)
	p.unlock()
}

// Resume ends a [Pool.Pause] and serves the waiters, in their order. On a pool that is
// not paused it does nothing.
func (p *Pool[C]) Resume() {
	p.mu.Lock()
	p.core.pause(false)
	p.unlock()
}

// Close ends the pool: every waiter and every later call gets [ErrClosed], idle
// connections are closed, dials, checks and resets under way are cancelled. Close
// then waits until all connections on loan have been returned and everything is
// closed, and returns the errors of the closes. Further calls wait for the same.
// Use [Pool.Shutdown] to bound the wait. Close must not be called by a goroutine
// that holds a connection, nor by a function of Config.
func (p *Pool[C]) Close() error {
	p.startClose()
	<-p.core.drained // nothing is added to closing any more
	return p.core.closing.err()
}

// Shutdown is Close with a bound: when ctx ends first, it cancels the ctx of every
// [Pool.Do] under way and returns a [*ShutdownError], which wraps ctx's error and its
// cause. Connections that are returned later are still closed. Called from inside, it
// returns [ErrInside] and does nothing. A nil ctx panics.
func (p *Pool[C]) Shutdown(ctx context.Context) error {
	ctxerr.NotNil(ctx, "connpool")
	if inside(ctx, p) {
		return ErrInside
	}
	done := ctx.Done()
	p.startClose()
	select {
	case <-p.core.drained: // wins over a ctx that has ended, too
		return p.core.closing.err()
	default:
	}
	select {
	case <-p.core.drained:
		return p.core.closing.err()
	case <-done:
	}
	p.aborted.Store(true) // before the look: a Do stores its cancel, then reads this
	for _, e := range p.roster.all() {
		if cancel := e.cancel.Load(); cancel != nil {
			(*cancel)(ErrClosed)
		}
	}
	err := ctxerr.From(ctx) // with no lock held: it calls methods of the ctx
	p.mu.Lock()
	defer p.unlock()
	c := p.roster.census()
	return &ShutdownError{
		Name: p.cfg.Name, Err: err, InUse: c.lent, Busy: c.idle + c.held, Closing: p.core.closing.n(), Dialing: p.core.dialer.under(),
	}
}

// Done returns a channel that is closed when a pool that was told to close has
// nothing left: what Close waits for.
func (p *Pool[C]) Done() <-chan struct{} { return p.core.drained }

// insideCtx is a ctx that a pool gives to a function. It names that pool. A function of one
// pool may run inside a function of another pool, and then its ctx names both.
type insideCtx struct {
	context.Context
	pool any
}

// insideKey is the key by which inside asks a ctx whether the given pool made it.
type insideKey struct{ pool any }

func (c insideCtx) Value(key any) any {
	if k, ok := key.(insideKey); ok && k.pool == c.pool {
		return true
	}
	return c.Context.Value(key)
}

// inside reports whether ctx is one that the given pool gave to a function.
func inside(ctx context.Context, pool any) bool { return ctx.Value(insideKey{pool}) != nil }

func (p *Pool[C]) startClose() {
	p.mu.Lock()
	p.core.close()
	p.unlock()
	p.cancel() // and with it the dials, checks and resets under way
}
