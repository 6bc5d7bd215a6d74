package connpool

import (
	"context"
	"fmt"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// warmer is a Warm that waits. Guarded by Pool.mu.
type warmer struct {
	n  int
	ch chan error // capacity 1
}

// Warm opens connections until n are open, idle or on loan, and waits for them.
// It returns the error of the first dial that fails, ctx's error, [ErrClosed], or
// [ErrBreakerOpen]; what was opened by then stays. While the pool is paused it waits.
// n above MaxOpen, MaxIdle or (of a Keyed) MaxTotal is an error, also when a Resize
// makes it so meanwhile; n below 1 does nothing. A nil ctx panics.
func (p *Pool[C]) Warm(ctx context.Context, n int) error {
	ctxerr.NotNil(ctx, "connpool")
	if err := ctxerr.From(ctx); err != nil {
		return err
	}
	w := &warmer{n: n, ch: make(chan error, 1)}
	p.mu.Lock()
	switch {
	case p.closed:
		p.unlock()
		return ErrClosed
	case n > p.maxWarmLocked():
		defer p.unlock()
		return p.tooWarmLocked(n)
	case n <= len(*p.conns.Load()):
		p.unlock()
		return nil
	}
	p.n.warms++
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
	return ctxerr.From(ctx)
}

// maxWarmLocked returns how many connections can be open at once with nothing on loan.
func (p *Pool[C]) maxWarmLocked() int {
	n := min(p.maxOpen, p.maxIdle())
	if p.limit != nil {
		n = min(n, p.limit.max)
	}
	return n
}

func (p *Pool[C]) tooWarmLocked(n int) error {
	return fmt.Errorf("connpool: Warm(%d) exceeds the limit of %d", n, p.maxWarmLocked())
}

// shrinkWarmersLocked ends those that a Resize has made wait for what cannot be.
func (p *Pool[C]) shrinkWarmersLocked() {
	p.removeWarmersLocked(func(w *warmer) bool {
		if w.n <= p.maxWarmLocked() {
			return false
		}
		w.ch <- p.tooWarmLocked(w.n)
		return true
	})
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
