package batchchan

import (
	"context"
	"runtime"
	"time"
)

// parkLocked makes t idle; mu is released while it waits and held on return.
// It returns the time and whether t was woken, rather than ctx done.
func (c *core[T]) parkLocked(ctx context.Context, t *taker, e *effects[T]) (now time.Duration, woken bool) {
	t.arm()
	c.crew.park(t)
	c.armLocked(e)
	c.unlock(e)
	if t.waitOr(ctx.Done(), c.yields) {
		now = c.now()
		c.mu.lock()
		return now, true
	}
	c.mu.lock()
	if c.crew.unpark(t) {
		return 0, false
	}
	// Somebody has just counted on this taker: pass the wake-up on.
	c.mu.unlock()
	<-t.ch
	c.mu.lock()
	c.crew.wake(&e.wakeUps)
	return 0, false
}

// next completes the batch that a worker has processed, if any, and returns the
// one to process now, waiting for it. It returns nil when c is closed and
// nothing waits: the worker must end.
func (c *core[T]) next(last *batch[T], t *taker) *batch[T] {
	var e effects[T]
	if last != nil && c.moreUntimed(last) {
		return last
	}
	now := c.now()
	away := last != nil && last.again != nil
	if last != nil && !away {
		c.finish(last, now)
		if c.more(last) {
			c.begin(&last.span, last.firstAt, now)
			return last
		}
	}
	c.mu.lock()
	switch {
	case away:
		c.asideLocked(last, now, &e)
	case last != nil:
		c.completeLocked(last, &e)
	}
	for {
		if b := c.takeRetryLocked(now, &e); b != nil {
			c.unlock(&e)
			return b
		}
		if b := c.takeLocked(now, &e); b != nil {
			c.unlock(&e)
			c.begin(&b.span, b.firstAt, now)
			return b
		}
		if c.closing {
			c.crew.leave()
			c.endLocked(&e)
			c.unlock(&e)
			return nil
		}
		if c.cfg.PreciseLinger && c.spinLocked(&now, &e) {
			continue
		}
		now, _ = c.parkLocked(context.Background(), t, &e)
	}
}

// finish books the end of b's processing and clears its items; outside mu.
func (c *core[T]) finish(b *batch[T], now time.Duration) {
	c.end(&b.span, now, b.marksSince(b.untimed))
	if c.cfg.DetachBatches {
		b.items = c.backlog.newItems()
		return
	}
	clear(b.items)
}

// work is a worker's life. A processor that calls runtime.Goexit ends the
// goroutine; another takes its place, with the batch as failed.
func (c *core[T]) work() { c.workFrom(nil) }

func (c *core[T]) workFrom(b *batch[T]) {
	done := false
	defer func() {
		if !done {
			go c.workFrom(b)
		}
	}()
	c.label()
	t := &taker{signal: newSignal()}
	if b != nil {
		c.lost(b)
	}
	for {
		if b = c.next(b, t); b == nil {
			break
		}
		c.process(b)
	}
	done = true
}

// endLocked closes done when c is closed and nothing is left to do.
func (c *core[T]) endLocked(e *effects[T]) {
	if c.closing && !c.finished && c.crew.workers == 0 && c.inFlight == 0 && c.backlog.pending() == 0 {
		c.finished = true
		c.alarm.stop()
		e.end = true
	}
}

// spinLocked yields until the open batch's deadline if that is near. mu is
// released meanwhile and held on return. It reports false, at once, if the taker
// should park instead.
func (c *core[T]) spinLocked(now *time.Duration, e *effects[T]) bool {
	first, ok := c.firstLocked()
	if !ok || c.spinning || c.fakeClock || first+c.cfg.Linger-*now > preciseWindow {
		return false
	}
	deadline := first + c.cfg.Linger
	c.spinning, c.crew.missed = true, false
	c.unlock(e)
	stuck := 0
	for i := 0; *now < deadline && stuck <= spinStuck; i++ {
		runtime.Gosched()
		then := *now
		if *now = c.now(); *now > then {
			stuck = 0
		} else {
			stuck++
		}
		if i%4 == 3 && c.mu.tryLock() {
			poked := c.crew.missed
			c.mu.unlock()
			if poked {
				break
			}
		}
	}
	c.mu.lock()
	c.spinning = false
	c.fakeClock = c.fakeClock || stuck > spinStuck
	if c.crew.missed { // this taker goes off with another batch: somebody must look
		if _, ok := c.firstLocked(); ok {
			c.expectLocked(e)
		}
	}
	return true
}

// spinStuck is how often the clock may stand still while a taker yields before
// it is taken for one that yielding does not move (in a testing/synctest bubble
// time passes only when everyone waits).
const spinStuck = 1000

// preciseWindow is how far from the deadline PreciseLinger begins to yield: more
// than the lateness of the operating system's timers.
const preciseWindow = 2 * time.Millisecond
