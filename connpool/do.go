package connpool

import (
	"context"
	"errors"
	"fmt"
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
	broken = err != nil && p.cfg.Bad(err)
	finished = true
	return err
}

// warmer is a Warm that waits. Guarded by Pool.mu.
type warmer struct {
	n  int
	ch chan error // capacity 1
}

// Warm opens connections until n are open, idle or on loan, and waits for them.
// It returns the error of the first dial that fails, ctx's error, [ErrClosed], or
// [ErrBreakerOpen]; what was opened by then stays. While the pool is paused it waits.
// n above MaxOpen or MaxIdle is an error; n below 1 does nothing. A nil ctx panics.
func (p *Pool[C]) Warm(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &warmer{n: n, ch: make(chan error, 1)}
	p.mu.Lock()
	limit := min(p.maxOpen, p.maxIdle())
	switch {
	case p.closed:
		p.unlock()
		return ErrClosed
	case n > limit:
		p.unlock()
		return fmt.Errorf("connpool: Warm(%d) exceeds the limit of %d", n, limit)
	case n <= len(*p.conns.Load()):
		p.unlock()
		return nil
	}
	p.warmers = append(p.warmers, w)
	p.provideLocked()
	p.unlock()
	select {
	case err := <-w.ch:
		return err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.unlock()
	p.removeWarmersLocked(func(o *warmer) bool { return o == w })
	return ctx.Err()
}

// endWarmersLocked ends those whose number is reached, or all if err is not nil.
func (p *Pool[C]) endWarmersLocked(err error) {
	n := len(*p.conns.Load())
	p.removeWarmersLocked(func(w *warmer) bool {
		if err == nil && w.n > n {
			return false
		}
		w.ch <- err
		return true
	})
}

func (p *Pool[C]) removeWarmersLocked(gone func(*warmer) bool) {
	kept := p.warmers[:0]
	for _, w := range p.warmers {
		if !gone(w) {
			kept = append(kept, w)
		}
	}
	clear(p.warmers[len(kept):])
	p.warmers = kept
}
