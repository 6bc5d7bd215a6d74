package connpool

import (
	"context"
	"errors"
)

var errUnfinished = errors.New("connpool: the function given to Do panicked or ended its goroutine")

// Do lends a connection to f and takes it back when f returns. It waits as Acquire
// does and returns its error (of a closed pool [ErrClosed]) or f's. A nil ctx or f
// panics. The connection is closed if f panics (the
// panic goes on) or ends its goroutine, and if Config.Bad says that f's error means
// so. The ctx that f gets also ends when a Shutdown runs out of time.
func (p *Pool[C]) Do(ctx context.Context, f func(context.Context, C) error) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	return p.do(ctx, c, f)
}

// do runs f with the loan c and ends the loan.
func (p *Pool[C]) do(ctx context.Context, c Conn[C], f func(context.Context, C) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	c.e.cancel.Store(&cancel)
	if p.aborted.Load() {
		cancel(ErrClosed)
	}
	finished, broken := false, false
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
	err = f(ctx, c.Value())
	if err != nil {
		var failed error
		p.contain("Bad", &failed, func() { broken = p.cfg.Bad(err) })
		if failed != nil { // nobody knows, so it is
			broken, err = true, errors.Join(err, failed)
		}
	}
	finished = true
	return err
}
