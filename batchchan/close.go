package batchchan

import (
	"context"
)

// beginClose refuses what comes from now on and makes everything that waits
// due.
func (c *core[T]) beginClose() {
	var e effects[T]
	c.mu.lock()
	if !c.closing {
		c.closing = true
		c.roomLocked()
		c.collectLocked(&e)
		for c.waiters.any() {
			e.settle(c.waiters.pop(), ErrClosed)
		}
		c.crew.wakeIdle(&e.wakeUps)
		if c.backlog.pending() > 0 {
			c.crew.wake(&e.wakeUps)
		}
		c.endLocked(&e)
	}
	c.unlock(&e)
}

// shutdown closes c, waits until everything is processed or ctx is done, and in
// that case cancels the processor's context and takes back what waits.
func (c *core[T]) shutdown(ctx context.Context) (undelivered []T, err error) {
	notNil(ctx)
	if c.inside(ctx) {
		return nil, ErrInside
	}
	c.beginClose()
	if ctx.Err() == nil {
		select {
		case <-c.done:
			return nil, c.failures.take()
		case <-ctx.Done():
		}
	}
	var e effects[T]
	c.mu.lock()
	if c.finished {
		c.unlock(&e)
		<-c.done
		return nil, c.failures.take()
	}
	rest := c.stealLocked(&e)
	if n := len(rest) + c.backlog.pending(); n > 0 {
		undelivered = make([]T, 0, n)
	}
	undelivered = append(undelivered, rest...)
	clear(rest)
	for c.backlog.anyReady() {
		b := c.backlog.pop()
		undelivered = c.backlog.appendStaying(undelivered, b.items[b.off:])
		batches := c.backlog.batchesIn(b)
		clear(b.items)
		c.retireLocked(b, batches, &e)
	}
	undelivered, n := c.backlog.takeBack(undelivered)
	c.n.cut += uint64(n)
	c.n.undelivered += uint64(len(undelivered))
	if len(undelivered) > 0 {
		e.barriers = c.barriers.fail(ErrClosed, e.barriers)
	}
	running := c.inFlightN
	c.endLocked(&e)
	c.unlock(&e)
	err = c.failures.or(c.cutShort(ctx, len(undelivered), running)) // what fails from now on is reported later
	c.cancel()
	c.mu.lock()
	c.hurryRetriesLocked(&e) // to fail
	c.unlock(&e)
	return undelivered, err
}

// close is Close.
func (c *core[T]) close() error {
	c.beginClose()
	<-c.done
	return c.failures.take()
}

// cutShort returns the error of a Shutdown whose ctx ended with that many items left,
// or nil if none are.
func (x *executor[T]) cutShort(ctx context.Context, undelivered, running int) error {
	if undelivered == 0 && running == 0 {
		return nil
	}
	return &ShutdownError{Name: x.cfg.Name, Undelivered: undelivered, Running: running, Cause: context.Cause(ctx)}
}
