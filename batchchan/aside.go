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
	c.expectRetryLocked(now, e)
}

// takeRetryLocked returns a batch that was aside and whose time has come, or nil.
func (c *core[T]) takeRetryLocked(now time.Duration, e *effects[T]) *batch[T] {
	at, ok := c.later.next()
	if !ok {
		return nil
	}
	if at > now {
		// now is of before the lock; the timer may have fired since and found
		// this taker on its way.
		now = c.now()
	}
	b, ok := c.later.take(now)
	if !ok {
		return nil
	}
	c.aside.release()
	c.expectRetryLocked(now, e)
	return b
}

// expectRetryLocked sets the timer for the next batch that is aside, or wakes a worker
// if the time of that batch has come.
func (c *core[T]) expectRetryLocked(now time.Duration, e *effects[T]) {
	at, ok := c.later.next()
	switch {
	case !ok:
	case at <= now:
		c.crew.wake(&e.wakeUps)
	case c.retryTimer == nil:
		c.retryTimer = time.AfterFunc(at-now, c.onRetryTimer)
	default:
		c.retryTimer.Reset(at - now)
	}
}

func (c *core[T]) onRetryTimer() {
	var e effects[T]
	c.mu.lock()
	if !c.finished {
		c.expectRetryLocked(c.now(), &e)
	}
	c.unlock(&e)
}

// hurryRetriesLocked makes what is aside due.
func (c *core[T]) hurryRetriesLocked(e *effects[T]) {
	if _, ok := c.later.next(); ok {
		c.later.hurry()
		c.expectRetryLocked(c.now(), e)
	}
}
