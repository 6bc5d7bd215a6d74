package batchchan

import "time"

// Batches that are aside have failed and wait for their next attempt without a
// worker (Retry.MaxAside). They count as being in the processor. When their time
// has come the next taker takes them, before anything else.

// setAsideLocked puts b, for which the executor has reserved a place, aside. mu is held.
func (g *engine[T]) setAsideLocked(b *batch[T], now time.Duration, e *effects[T]) {
	g.core.putAside(b, g.nextAttempt(b, now), e)
}

// putAside puts b aside until that time.
func (c *core[T]) putAside(b *batch[T], at time.Duration, e *effects[T]) {
	c.later.add(at, b)
	c.arm(e)
}

// takeRetry returns a batch that was aside and whose time has come, or nil. Its place
// is then free.
func (c *core[T]) takeRetry(now time.Duration, e *effects[T]) *batch[T] {
	b, ok := c.later.takeDue(now, c.clock)
	if !ok {
		return nil
	}
	c.arm(e) // for the next one
	if c.backlog.anyReady() {
		c.crew.wake(&e.wakeUps) // this taker may have been woken for that batch
	}
	return b
}

// hurryRetries makes what is aside due.
func (c *core[T]) hurryRetries(e *effects[T]) {
	if _, ok := c.later.next(); ok {
		c.later.hurry()
		c.arm(e)
	}
}
