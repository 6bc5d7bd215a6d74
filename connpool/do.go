package connpool

import (
	"context"
	"errors"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

var (
	errUnfinished = errors.New("connpool: the function given to Do panicked or ended its goroutine")
	errSuspect    = errors.New("connpool: dialed before another was found broken, and not checked since")
)

// Do lends a connection to f and takes it back when f returns. It waits as Acquire
// does and returns its error (of a closed pool [ErrClosed]) or f's. A nil ctx or f
// panics. The connection is closed if f panics (the panic goes on) or ends its
// goroutine, and if Config.Bad says that f's error means so. The ctx that f gets also
// ends when a Shutdown runs out of time.
//
// With Config.RetryBroken, f runs once more if its error means that the connection is
// broken, this one had been lent before or is older than a second, and ctx has not
// ended. The second run gets a connection that was dialed, or checked, after the
// first. Without a Check, older ones that it meets on the way are closed: nothing could
// tell whether they work.
func (p *Pool[C]) Do(ctx context.Context, f func(context.Context, C) error) error {
	ctxerr.NotNil(ctx, "connpool")
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	return c.do(ctx, f)
}

// do runs f with the loan, and once more with another if this connection was stale and
// Config wants it.
func (c Conn[C]) do(ctx context.Context, f func(context.Context, C) error) error {
	p := c.e.pool
	broken, err := c.doOnce(ctx, f)
	if !broken || !p.cfg.RetryBroken || ctx.Err() != nil {
		return err
	}
	p.mu.Lock()
	now, lastID := p.core.clock.now(), p.core.nextID
	p.mu.Unlock()
	if c.word>>useShift == 1 && now-c.e.born < time.Second {
		return err // it was fresh: this is not the connection's age
	}
	for {
		again, failed := p.Acquire(ctx)
		if failed != nil {
			return errors.Join(err, failed)
		}
		if again.provenSince(now, lastID) {
			p.retries.Add(1)
			_, err = again.doOnce(ctx, f)
			return err
		}
		again.Destroy(errSuspect)
	}
}

// provenSince reports whether c was dialed after the connection with the given
// number, or checked at or after the given time.
func (c Conn[C]) provenSince(at time.Duration, id uint64) bool {
	c.e.pool.mu.Lock()
	defer c.e.pool.mu.Unlock()
	return c.e.id > id || c.e.pool.cfg.Check != nil && c.e.checkedAt >= at
}

// doOnce runs f with the loan and ends the loan. broken says that f's error means that
// the connection is.
func (c Conn[C]) doOnce(ctx context.Context, f func(context.Context, C) error) (broken bool, err error) {
	p := c.e.pool
	cancel := context.CancelCauseFunc(func(error) {})
	finished := false
	defer func() {
		c.e.cancel.Store(nil)
		cancel(nil)
		switch {
		case !finished:
			c.Destroy(errUnfinished)
		case broken:
			c.Destroy(err)
		default:
			c.Release()
		}
	}()
	ctx, cancel = context.WithCancelCause(ctx) // calls methods of the ctx, which may not return
	c.e.cancel.Store(&cancel)
	if p.aborted.Load() {
		cancel(ErrClosed)
	}
	err = f(insideCtx{ctx, p}, c.Value())
	if err != nil {
		var failed error
		p.functions.contain("Bad", &failed, func() { broken = p.cfg.Bad(err) })
		if failed != nil { // Bad has not said it, so the connection counts as broken
			broken, err = true, errors.Join(err, failed)
		}
	}
	finished = true
	return broken, err
}
