package batchchan

import (
	"context"
	"runtime"
	"time"
)

// parkLocked makes t idle; mu is released while it waits and held on return.
// It returns the time and whether t was woken, rather than ctx done.
func (g *engine[T]) parkLocked(ctx context.Context, t *taker, e *effects[T]) (now time.Duration, woken bool) {
	t.arm()
	g.core.crew.park(t)
	g.core.arm(e)
	g.unlock(e)
	if t.waitOr(ctx.Done(), g.yields) {
		now = g.now()
		g.mu.lock()
		return now, true
	}
	g.mu.lock()
	if g.core.crew.unpark(t) {
		return 0, false
	}
	// Somebody has just counted on this taker: pass the wake-up on.
	g.mu.unlock()
	<-t.ch
	g.mu.lock()
	g.core.crew.wake(&e.wakeUps)
	return 0, false
}

// next completes the batch that a worker has processed, if any, and returns the
// one to process now, waiting for it. It returns nil when c is closed and
// nothing waits: the worker must end.
func (g *engine[T]) next(last *batch[T], t *taker) *batch[T] {
	var e effects[T]
	if last != nil && g.moreUntimed(last) {
		return last
	}
	now := g.now()
	away := last != nil && last.again != nil
	if last != nil && !away {
		g.finish(last, now)
		if g.more(last) {
			g.begin(&last.span, last.firstAt, now)
			return last
		}
	}
	g.mu.lock()
	switch {
	case away:
		g.setAsideLocked(last, now, &e)
	case last != nil:
		g.core.complete(last, &e)
	}
	for {
		if b := g.core.takeRetry(now, &e); b != nil {
			g.aside.release()
			g.unlock(&e)
			return b
		}
		if b := g.core.take(now, &e); b != nil {
			g.unlock(&e)
			g.begin(&b.span, b.firstAt, now)
			return b
		}
		if g.core.closing {
			g.core.crew.leave()
			g.core.end(&e)
			g.unlock(&e)
			return nil
		}
		if g.cfg.PreciseLinger && g.spinLocked(&now, &e) {
			continue
		}
		now, _ = g.parkLocked(context.Background(), t, &e)
	}
}

// finish books the end of b's processing and clears its items; outside mu.
func (g *engine[T]) finish(b *batch[T], now time.Duration) {
	g.end(&b.span, now, b.marksSince(b.untimed))
	if g.cfg.DetachBatches {
		b.items = g.core.backlog.newItems()
		return
	}
	clear(b.items)
}

// work is a worker's life. A processor that calls runtime.Goexit ends the
// goroutine; another takes its place, with the batch as failed.
func (g *engine[T]) work() { g.workFrom(nil) }

func (g *engine[T]) workFrom(b *batch[T]) {
	done := false
	defer func() {
		if !done {
			go g.workFrom(b)
		}
	}()
	g.label()
	t := &taker{signal: newSignal()}
	if b != nil {
		g.lost(b)
	}
	for {
		if b = g.next(b, t); b == nil {
			break
		}
		g.process(b)
	}
	done = true
}

// end closes done when c is closed and nothing is left to do.
func (c *core[T]) end(e *effects[T]) {
	if c.closing && !c.finished && c.crew.workers == 0 && c.inFlight == 0 && c.backlog.pending() == 0 {
		c.finished = true
		c.alarm.stop()
		e.end = true
	}
}

// spinLocked yields until the open batch's deadline if that is near. mu is
// released meanwhile and held on return. It reports false, at once, if the taker
// should park instead.
func (g *engine[T]) spinLocked(now *time.Duration, e *effects[T]) bool {
	first, ok := g.core.first()
	if !ok || g.core.spinning || g.core.fakeClock || first+g.cfg.Linger-*now > preciseWindow {
		return false
	}
	deadline := first + g.cfg.Linger
	g.core.spinning, g.core.crew.missed = true, false
	g.unlock(e)
	stuck := 0
	for i := 0; *now < deadline && stuck <= spinStuck; i++ {
		runtime.Gosched()
		then := *now
		if *now = g.now(); *now > then {
			stuck = 0
		} else {
			stuck++
		}
		if i%4 == 3 && g.mu.tryLock() {
			poked := g.core.crew.missed
			g.mu.unlock()
			if poked {
				break
			}
		}
	}
	g.mu.lock()
	g.core.spinning = false
	g.core.fakeClock = g.core.fakeClock || stuck > spinStuck
	if g.core.crew.missed { // this taker goes off with another batch: somebody must look
		if _, ok := g.core.first(); ok {
			g.core.expect(e)
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
