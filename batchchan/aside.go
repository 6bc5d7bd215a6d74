package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// Batches that are aside have failed and wait for their next attempt without a
// worker (Retry.MaxAside). They count as being in the processor. When their time
// has come the next taker takes them, before anything else.

// asideLocked puts b aside, for which the executor has reserved a place.
func (c *core[T]) asideLocked(b *batch[T], now time.Duration, e *effects[T]) {
	at := duration.Add(now, b.again.wait)
	if c.ctx.Err() != nil {
		at = now
	}
	c.later.add(at, b)
	c.armLocked(e)
}

// takeRetryLocked returns a batch that was aside and whose time has come, or nil.
func (c *core[T]) takeRetryLocked(now time.Duration, e *effects[T]) *batch[T] {
	at, ok := c.later.next()
	if !ok {
		return nil
	}
	if at > now {
		// now is of before the lock; the alarm may have rung since and found
		// this taker on its way.
		now = c.now()
	}
	b, ok := c.later.take(now)
	if !ok {
		return nil
	}
	c.aside.release()
	c.armLocked(e) // for the next one
	return b
}

// hurryRetriesLocked makes what is aside due.
func (c *core[T]) hurryRetriesLocked(e *effects[T]) {
	if _, ok := c.later.next(); ok {
		c.later.hurry()
		c.armLocked(e)
	}
}
