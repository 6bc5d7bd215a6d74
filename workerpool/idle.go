package workerpool

import (
	"math"
	"time"
)

// idle is where an active worker goes that found nothing to take. It returns true
// when the worker is active again and false when it has ended.
func (c *core[T]) idle(w *worker[T]) bool {
	if c.direct {
		c.arrived(w)
		return c.sleepDirect(w)
	}
	var now int64
	may := c.cfg.Spin > 0
	if may {
		now = c.clock.now()
		may = c.search.may(now)
	}
	searching, s := c.ctl.leave(may)
	c.arrived(w)
	if s.active() == 0 && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
	if searching && c.lookAround(now) {
		c.arriving.begin()
		w.arriving = true
		c.ctl.found()
		return true
	}
	c.mu.Lock()
	c.pushIdle(w)
	c.mu.Unlock()
	c.ctl.rest(searching)
	// From here on w can be woken. A call that published a task, or asked workers
	// to end, before it could see w idle has not woken or ended w: look once more.
	if c.q.ready() {
		c.notify()
	}
	if c.alert.Load()&(alertStop|alertSurplus) != 0 {
		c.reap()
	}
	if !<-w.wake {
		return false
	}
	c.arrive(w)
	return true
}

// sleepDirect is idle without a queue: a worker is woken only with a task.
func (c *core[T]) sleepDirect(w *worker[T]) bool {
	l := &c.q.levels[0]
	c.mu.Lock()
	if l.spill.len > 0 || c.directWaiting() {
		c.mu.Unlock()
		return true // arrived since take looked
	}
	c.pushIdle(w)
	s := c.ctl.sub(activeOne - idleOne)
	c.mu.Unlock()
	if s.active() == 0 && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
	if c.alert.Load()&(alertStop|alertSurplus) != 0 {
		c.reap()
	}
	if c.q.flags.Load()&someOutside != 0 {
		c.matchBlocked() // w may have seen a surplus that others have ended since
	}
	return <-w.wake
}

// pushIdle puts w on the idle stack and sees that the shrink timer runs. The
// caller holds mu and counts w idle afterwards.
func (c *core[T]) pushIdle(w *worker[T]) {
	c.idlers.push(w)
	c.armIfSurplus()
}

// armIfSurplus starts a period of IdleTimeout, if there are idle workers to spare,
// at whose end those that were idle throughout end. Otherwise there is no timer.
// The caller holds mu.
func (c *core[T]) armIfSurplus() {
	if c.armed || c.closed || c.cfg.IdleTimeout <= 0 || c.idlers.len() == 0 || c.ctl.load().workers() <= c.keep {
		return
	}
	c.armed = true
	c.idlers.mark()
	if c.timer == nil {
		c.timer = time.AfterFunc(c.cfg.IdleTimeout, c.shrink)
	} else {
		c.timer.Reset(c.cfg.IdleTimeout)
	}
}

func (c *core[T]) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	if c.closed {
		return
	}
	c.endIdle(func(s ctlState) int { return min(c.idlers.low, s.workers()-c.keep) })
	c.armIfSurplus()
}

// endIdle ends as many idle workers as want returns for the state, longest idle
// first. The caller holds mu.
func (c *core[T]) endIdle(want func(ctlState) int) {
	for {
		s := c.ctl.load()
		k := min(want(s), s.idle())
		if k <= 0 {
			return
		}
		if !c.ctl.cas(s, s-ctlState(k)*(idleOne+workerOne)) {
			continue
		}
		c.idlers.end(k)
	}
}

// reap ends the idle workers that a stop or a lowered limit asks to end.
func (c *core[T]) reap() {
	c.mu.Lock()
	stop := c.alert.Load()&alertStop != 0
	c.endIdle(func(s ctlState) int {
		if stop {
			return s.idle()
		}
		return s.workers() - int(c.limit.Load())
	})
	c.settleSurplus()
	c.mu.Unlock()
}

// retireBusy ends the calling active worker if there are more than the limit.
func (c *core[T]) retireBusy() bool {
	c.mu.Lock() // keeps the limit as it is: a Resize must not end below its MinWorkers
	retired := false
	for !retired {
		s := c.ctl.load()
		if s.workers() <= int(c.limit.Load()) {
			break
		}
		retired = c.ctl.cas(s, s-workerOne-activeOne)
	}
	c.settleSurplus()
	c.mu.Unlock()
	if retired {
		if c.alert.Load()&alertQuiet != 0 {
			c.checkQuiet()
		}
		if !c.direct && c.q.ready() {
			c.notify()
		}
	}
	return retired
}

// settleSurplus keeps alertSurplus equal to "more workers than the limit". The
// caller holds mu.
func (c *core[T]) settleSurplus() {
	if c.ctl.load().workers() > int(c.limit.Load()) {
		c.alert.Or(alertSurplus)
	} else {
		c.alert.And(math.MaxUint32 &^ alertSurplus)
	}
}

// forget takes an ended worker out of the books.
func (c *core[T]) forget(w *worker[T]) {
	c.mu.Lock()
	c.roll.remove(w)
	c.closeGone()
	c.mu.Unlock()
}
