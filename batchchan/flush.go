package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// flush makes what is open due and waits until everything accepted before is
// completed.
func (g *engine[T]) flush(ctx context.Context) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if g.inside(ctx) {
		return ErrInside
	}
	g.backOffs.hurry()
	var e effects[T]
	g.mu.lock()
	b := g.core.flush(&e)
	lost := g.core.n.undelivered > 0
	g.unlock(&e)
	switch {
	case b != nil:
		return g.waitFor(ctx, b)
	case lost:
		return ErrClosed
	}
	return g.failures.take()
}

// flush makes everything accepted due and returns the barrier that passes when all of
// it is completed, or nil if it is.
func (c *core[T]) flush(e *effects[T]) *barrier {
	c.collect(e)
	c.hurryRetries(e)
	left, target := c.outstanding, c.backlog.seq-1
	if n := c.backlog.batches(); n > 0 {
		left += n
		target += uint64(n)
		if c.manualTo < target {
			c.manualTo = target
			c.crew.wake(&e.wakeUps)
		}
	}
	if left == 0 {
		return nil
	}
	b, isNew := c.barriers.add(target, left)
	if isNew {
		c.hurryRun(e)
	}
	return b
}

// waitFor waits for a barrier, and returns what failed until then or why it did not
// pass.
func (x *executor[T]) waitFor(ctx context.Context, b *barrier) error {
	select {
	case <-b.done:
		if b.err != nil {
			return b.err
		}
		return x.failures.take()
	case <-ctx.Done():
		return ctxerr.From(ctx)
	}
}
