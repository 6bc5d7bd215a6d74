package batchchan

import "time"

// There is one timer per core, and it is armed lazily: it is set when a batch
// is opened while it does not run, and on firing it is set again for whatever
// is open then. Under load that is one timer operation per Linger instead of one
// per batch. Since Linger is constant, a running timer fires no later than any
// batch opened after it was set is due. It is not set while no taker is idle:
// a taker that has finished looks at the deadline itself.

// firstLocked returns when the oldest item that is not in a ready batch came.
func (c *core[T]) firstLocked() (time.Duration, bool) {
	switch {
	case len(c.buf) > 0 && len(c.lanes) > 0:
		return min(c.bufAt, c.lanesAt), true
	case len(c.buf) > 0:
		return c.bufAt, true
	case len(c.lanes) > 0:
		return c.lanesAt, true
	}
	return 0, false
}

// expectLocked makes sure that a taker looks again when the oldest open item has
// reached the age Linger.
func (c *core[T]) expectLocked(e *effects[T]) {
	if c.cfg.PreciseLinger && !c.fakeClock && c.cfg.Linger <= preciseWindow {
		if !c.spinning {
			c.crew.wake(&e.wakeUps)
		}
		return
	}
	if !c.armed && c.crew.ready() {
		c.armLocked(e)
	}
}

// armLocked sets the timer for what is open, unless it runs.
func (c *core[T]) armLocked(e *effects[T]) {
	if c.armed || c.spinning {
		return
	}
	first, ok := c.firstLocked()
	if !ok {
		return
	}
	d := first + c.cfg.Linger - c.now()
	if c.cfg.PreciseLinger && !c.fakeClock {
		d -= preciseWindow
	}
	if d <= 0 {
		c.crew.wake(&e.wakeUps)
		return
	}
	c.armed = true
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.onTimer)
	} else {
		c.timer.Reset(d)
	}
}

// onTimer wakes a taker if something is due, and else sets the timer again. It
// takes nothing itself, so it cannot steal a batch from a Close that has
// already decided what is left.
func (c *core[T]) onTimer() {
	var e effects[T]
	c.mu.lock()
	c.armed = false
	if !c.closing && c.crew.ready() {
		c.armLocked(&e)
	}
	c.unlock(&e)
}
