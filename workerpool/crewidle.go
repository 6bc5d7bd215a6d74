package workerpool

import "time"

// leave ends the active state of a worker that found nothing to take. It reports
// whether the worker may search, which it does not unless search is set, and whether it
// was the last active one. A worker that was arriving counts as arriving until it has
// left, or a submitter that looks for room would miss it (TestIdleWorkersAreRoom).
func (c *crew[T]) leave(w *worker[T], search bool) (searching, last bool) {
	searching, s := c.ctl.leave(search)
	c.got(w)
	return searching, s.active() == 0
}

// lieDown makes a worker that has left one that can be woken. A call that published a
// task before it could see that has woken nobody: the caller looks at the queue again,
// and then calls endSurplus and sleep.
func (c *crew[T]) lieDown(w *worker[T], searching bool) {
	c.mu.Lock()
	c.idlers.push(w)
	c.armIfSurplus()
	c.mu.Unlock()
	c.ctl.rest(searching)
}

// lieDownDirect is leave and lieDown in one, without a queue, where the caller holds
// mu. It reports whether the worker was the last active one.
func (c *crew[T]) lieDownDirect(w *worker[T]) (last bool) {
	c.idlers.push(w)
	c.armIfSurplus()
	return c.ctl.sub(activeOne-idleOne).active() == 0
}

// sleep waits until w is woken. It returns true when w is active again, and false when
// it has been taken out of the count and must end.
func (c *crew[T]) sleep(w *worker[T]) bool {
	if !<-w.wake {
		return false
	}
	if !c.direct { // else it was reserved
		c.arrive(w)
	}
	return true
}

// armIfSurplus starts a period of IdleTimeout, if there are idle workers to spare,
// at whose end those that were idle throughout end. Otherwise there is no timer.
// The caller holds mu.
func (c *crew[T]) armIfSurplus() {
	if c.armed || c.closing || c.idleTimeout <= 0 || c.idlers.len() == 0 || c.ctl.load().workers() <= c.keep {
		return
	}
	c.armed = true
	c.idlers.mark()
	if c.timer == nil {
		c.timer = time.AfterFunc(c.idleTimeout, c.shrink)
	} else {
		c.timer.Reset(c.idleTimeout)
	}
}

func (c *crew[T]) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	if c.closing {
		return
	}
	c.endIdle(func(s ctlState) int { return min(c.idlers.low, s.workers()-c.keep) })
	c.armIfSurplus()
}

// endIdle ends as many idle workers as want returns for the state, longest idle
// first. The caller holds mu.
func (c *crew[T]) endIdle(want func(ctlState) int) {
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

// endSurplus ends the idle workers that a stop or a lowered limit asks to end, if one
// does. A worker that has just gone to sleep calls it, because the one who asked could not
// see it yet.
func (c *crew[T]) endSurplus() {
	if c.stopped.Load() || c.surplus.Load() {
		c.reap()
	}
}

func (c *crew[T]) reap() {
	c.mu.Lock()
	stop := c.stopped.Load()
	c.endIdle(func(s ctlState) int {
		if stop {
			return s.idle()
		}
		return s.workers() - int(c.limit.Load())
	})
	c.settleSurplus()
	c.mu.Unlock()
}

// retire takes the calling active worker out of the count, if there are more than may
// be; it reports whether it did. The caller then looks at the queue again, and whether
// it was the last active one.
func (c *crew[T]) retire() bool {
	c.mu.Lock() // keeps the limit as it is: a Resize must not end below its MinWorkers
	defer c.mu.Unlock()
	retired := false
	for !retired {
		s := c.ctl.load()
		if s.workers() <= int(c.limit.Load()) {
			break
		}
		retired = c.ctl.cas(s, s-workerOne-activeOne)
	}
	c.settleSurplus()
	return retired
}

// forget takes a worker off the roll that is out of the count and whose goroutine ends.
func (c *crew[T]) forget(w *worker[T]) {
	c.mu.Lock()
	c.roll.remove(w)
	c.closeGone()
	c.mu.Unlock()
}

// close notes that the pool refuses tasks from now on. The caller holds mu.
func (c *crew[T]) close() {
	c.closing = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// stop makes all workers end as they go to sleep. The last one closes gone.
func (c *crew[T]) stop() {
	c.mu.Lock()
	c.stopped.Store(true)
	c.pause(true) // a late call starts no worker
	c.closeGone()
	c.mu.Unlock()
	c.reap()
}

// closeGone closes gone once a stopped crew has no worker left. The caller holds mu.
func (c *crew[T]) closeGone() {
	if !c.roll.empty() || !c.stopped.Load() || c.ctl.load().workers() > 0 {
		return
	}
	select {
	case <-c.gone:
	default:
		close(c.gone)
	}
}
