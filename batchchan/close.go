package batchchan

import (
	"context"
	"fmt"
)

// beginClose refuses what comes from now on and makes everything that waits
// due.
func (c *core[T]) beginClose() {
	var e effects[T]
	c.mu.lock()
	if !c.closing {
		c.closing = true
		c.room = 0
		c.collectLocked(&e)
		for c.waiters.head != nil {
			c.waiters.settle(c.waiters.head, ErrClosed, &e)
		}
		for len(c.idle) > 0 {
			c.wakeLocked(&e)
		}
		if c.pendingLocked() > 0 {
			c.wakeLocked(&e)
		}
		c.endLocked(&e)
	}
	c.unlock(&e)
}

// shutdown closes c, waits until everything is processed or ctx is done, and in
// that case cancels the processor's context and takes back what waits.
func (c *core[T]) shutdown(ctx context.Context) (undelivered []T, err error) {
	if c.inside(ctx) {
		return nil, ErrInProcessor
	}
	c.beginClose()
	if ctx.Err() == nil {
		select {
		case <-c.done:
			return nil, nil
		case <-ctx.Done():
		}
	}
	var e effects[T]
	c.mu.lock()
	if c.finished {
		c.unlock(&e)
		<-c.done
		return nil, nil
	}
	rest := c.stealLocked(&e)
	if n := len(rest) + c.pendingLocked(); n > 0 {
		undelivered = make([]T, 0, n)
	}
	undelivered = append(undelivered, rest...)
	clear(rest)
	for c.ready.head != nil {
		b := c.ready.pop()
		undelivered = append(undelivered, b.items[b.off:]...)
		clear(b.items)
		c.retireLocked(b, &e)
	}
	undelivered = append(undelivered, c.buf...)
	c.n.cut += uint64(len(c.buf))
	c.n.undelivered += uint64(len(undelivered))
	clear(c.buf)
	c.buf, c.bufSizes, c.bufBytes = c.buf[:0], c.bufSizes[:0], 0
	c.bound, c.marks = 0, c.marks[:0]
	c.readyItems, c.readyBytes = 0, 0
	if len(undelivered) > 0 {
		c.failFlushesLocked(&e)
	}
	running := c.inFlightN
	c.endLocked(&e)
	c.unlock(&e)
	c.cancel()
	return undelivered, cutShort(ctx, len(undelivered), running)
}

func cutShort(ctx context.Context, undelivered, running int) error {
	if undelivered == 0 && running == 0 {
		return nil
	}
	return fmt.Errorf("batchchan: shutdown cut short: %d items undelivered, %d in the processor: %w",
		undelivered, running, context.Cause(ctx))
}
