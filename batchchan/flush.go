package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// flush makes what is open due and waits until everything accepted before is
// completed.
func (c *core[T]) flush(ctx context.Context) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if c.inside(ctx) {
		return ErrInside
	}
	c.backOffs.hurry()
	var e effects[T]
	c.mu.lock()
	c.collectLocked(&e)
	c.hurryRetriesLocked(&e)
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
		lost := c.n.undelivered > 0
		c.unlock(&e)
		if lost {
			return ErrClosed
		}
		return c.failures.take()
	}
	f, isNew := c.barriers.add(target, left)
	if isNew {
		c.hurryLocked(&e)
	}
	c.unlock(&e)
	return c.waitFor(ctx, f)
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
