package connpool

import "time"

// try lends an idle connection to a caller that does not wait, or begins what may bring
// one for a later call.
func (c *core[C]) try() (Conn[C], error) {
	switch {
	case c.closed:
		return Conn[C]{}, ErrClosed
	case c.waiters.paused:
		return Conn[C]{}, ErrPaused
	}
	if c.waiters.n == 0 {
		if idle, ok := c.roster.grabSurely(); ok {
			return idle, nil
		}
		c.provideForNobody()
	}
	c.n.notReady++
	return Conn[C]{}, ErrNotReady
}

// queue has w wait, as the nth that did; it may be granted something at once. If it does
// not wait, nth is 0, and the call has ended with a connection or an error.
func (c *core[C]) queue(w *waiter[C]) (got Conn[C], nth uint64, err error) {
	if c.closed {
		return Conn[C]{}, 0, ErrClosed
	}
	c.waiters.push(w)
	if c.waiters.n == 1 && !c.waiters.paused {
		// The gate is up now. A release just before may not have seen it, so look
		// once more. If others wait already, the first of them has looked.
		if idle, ok := c.roster.grab(); ok {
			c.waiters.drop(w, waitGone)
			return idle, 0, nil
		}
	}
	c.provide()
	if w.state == waitQueued && c.cfg.MaxWaiters != 0 && w.dial == nil && !w.claims && c.full() {
		c.waiters.drop(w, waitGone)
		c.n.rejected++
		return Conn[C]{}, 0, ErrFull
	}
	c.waiters.waits++
	return Conn[C]{}, c.waiters.waits, nil
}

// full reports whether more waiters need the return of a loan than MaxWaiters allows.
func (c *core[C]) full() bool {
	wait := c.waiters.unserved()
	if !c.waiters.paused {
		wait -= c.limits.toCome(c.usage())
	}
	return wait > max(c.cfg.MaxWaiters, 0)
}

// leave takes w, whose ctx has ended, out of the queue. It reports whether w was granted
// something before.
func (c *core[C]) leave(w *waiter[C]) (granted bool) {
	if w.state == waitQueued {
		c.waiters.drop(w, waitGone)
		if c.waiters.gaveUp {
			c.provide()
		}
	}
	return w.state == waitGranted
}

// undelivered takes back a loan whose waiter's ctx had ended.
func (c *core[C]) undelivered(loan Conn[C]) {
	c.n.undelivered++
	if loan.e.takeBack(loan.word) {
		c.giveBack(loan.e, true)
	}
}

// waitError counts and describes an Acquire that ends with its ctx: for err, which is late if
// it is the end of a deadline.
func (c *core[C]) waitError(err error, late bool, waited time.Duration) *WaitError {
	if late {
		c.n.timeouts++
	} else {
		c.n.canceled++
	}
	return &WaitError{
		Name: c.cfg.Name, Err: err, Waited: waited, MaxOpen: c.limits.maxOpen, Open: c.usage().open(),
		InUse: c.roster.count(stateLent), Dialing: c.dialer.under(),
		Waiting: c.waiters.n, Paused: c.waiters.paused, Dial: c.dialer.lastErr,
	}
}
