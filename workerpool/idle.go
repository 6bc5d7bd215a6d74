package workerpool

// idle is where an active worker goes that found nothing to take. It returns true
// when the worker is active again and false when it has ended.
func (c *core[T]) idle(w *worker[T]) bool {
	if c.direct {
		return c.sleepDirect(w)
	}
	var now int64
	may := c.cfg.Spin > 0
	if may {
		now = c.clock.now()
		may = c.search.may(now)
	}
	searching, last := c.crew.leave(may)
	if last && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
	if searching && c.lookAround(now) {
		c.crew.found(w)
		return true
	}
	c.crew.lieDown(w, searching)
	// From here on w can be woken. A call that published a task, or asked workers
	// to end, before it could see w idle has not woken or ended w: look once more.
	if c.q.ready() {
		c.notify()
	}
	c.crew.endSurplus()
	return c.crew.sleep(w)
}

// sleepDirect is idle without a queue: a worker is woken only with a task.
func (c *core[T]) sleepDirect(w *worker[T]) bool {
	l := &c.q.levels[0]
	c.mu.Lock()
	if l.spill.len > 0 || c.directWaiting() {
		c.mu.Unlock()
		return true // arrived since take looked
	}
	last := c.crew.lieDownDirect(w)
	c.mu.Unlock()
	if last && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
	c.crew.endSurplus()
	if c.q.flags.Load()&someOutside != 0 {
		c.matchBlocked() // w may have seen a surplus that others have ended since
	}
	return c.crew.sleep(w)
}

// retire ends the calling active worker if there are more than the limit.
func (c *core[T]) retire() bool {
	if !c.crew.retire() {
		return false
	}
	if c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
	if !c.direct && c.q.ready() {
		c.notify()
	}
	return true
}
