package batchchan

import (
	"context"
)

// beginClose refuses what comes from now on and makes everything that waits
// due.
func (g *engine[T]) beginClose() {
	var e effects[T]
	g.mu.lock()
	g.core.close(&e)
	g.unlock(&e)
}

func (c *core[T]) close(e *effects[T]) {
	if c.closing {
		return
	}
	c.closing = true
	c.setRoom()
	c.collect(e)
	for c.waiters.any() {
		e.settle(c.waiters.pop(), ErrClosed)
	}
	c.crew.wakeIdle(&e.wakeUps)
	if c.backlog.pending() > 0 {
		c.crew.wake(&e.wakeUps)
	}
	c.end(e)
}

// shutdown closes c, waits until everything is processed or ctx is done, and in
// that case cancels the processor's context and takes back what waits.
func (g *engine[T]) shutdown(ctx context.Context) (undelivered []T, err error) {
	notNil(ctx)
	if g.inside(ctx) {
		return nil, ErrInside
	}
	g.beginClose()
	if ctx.Err() == nil {
		select {
		case <-g.done:
			return nil, g.failures.take()
		case <-ctx.Done():
		}
	}
	cause := context.Cause(ctx) // before anything is taken back: it asks methods of the ctx
	var e effects[T]
	g.mu.lock()
	if g.core.finished {
		g.unlock(&e)
		<-g.done
		return nil, g.failures.take()
	}
	undelivered = g.core.takeBack(&e)
	running := g.core.inFlightN
	g.unlock(&e)
	err = g.failures.or(g.cutShort(cause, len(undelivered), running)) // what fails from now on is reported later
	g.cancel()
	g.mu.lock()
	g.core.hurryRetries(&e) // to fail
	g.unlock(&e)
	return undelivered, err
}

// takeBack takes out what no taker has begun, oldest first, and returns it.
func (c *core[T]) takeBack(e *effects[T]) (undelivered []T) {
	rest := c.steal(e)
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
		c.retire(b, batches, e)
	}
	undelivered, n := c.backlog.takeBack(undelivered)
	c.n.cut += uint64(n)
	c.n.undelivered += uint64(len(undelivered))
	if len(undelivered) > 0 {
		e.barriers = c.barriers.fail(ErrClosed, e.barriers)
	}
	c.end(e)
	return undelivered
}

// close is Close.
func (g *engine[T]) close() error {
	g.beginClose()
	<-g.done
	return g.failures.take()
}

// cutShort returns the error of a Shutdown whose ctx ended, for that cause, with that many items left,
// or nil if none are.
func (x *executor[T]) cutShort(cause error, undelivered, running int) error {
	if undelivered == 0 && running == 0 {
		return nil
	}
	return &ShutdownError{Name: x.cfg.Name, Undelivered: undelivered, Running: running, Cause: cause}
}
