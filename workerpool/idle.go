package workerpool

// idle is where an active worker goes that found nothing to take. It returns true
// when the worker is active again and false when it has ended.
func (c *core[T]) idle(w *worker[T]) bool {
	if c.desk.direct {
		return c.sleepDirect(w)
	}
	var now int64
	may := c.cfg.Spin > 0
	if may {
		now = c.clock.now()
		may = c.search.may(now)
	}
	searching, last := c.desk.crew.leave(w, may)
	if last {
		c.lookQuiet()
	}
	if searching && c.lookAround(now) {
		c.desk.crew.found(w)
		return true
	}
	c.desk.crew.lieDown(w, searching)
	// From here on w can be woken. A call that published a task, or asked workers
	// to end, before it could see w idle has not woken or ended w: look once more.
	if c.desk.q.ready() {
		c.desk.notify()
	}
	c.desk.crew.endSurplus()
	return c.desk.crew.sleep(w)
}

// sleepDirect is idle without a queue: a worker is woken only with a task.
func (c *core[T]) sleepDirect(w *worker[T]) bool {
	stays, last := c.desk.restDirect(w)
	if stays {
		return true
	}
	if last {
		c.lookQuiet()
	}
	c.desk.restedDirect()
	return c.desk.crew.sleep(w)
}

// retire ends the calling active worker if there are more than the limit.
func (c *core[T]) retire() bool {
	if !c.desk.crew.retire() {
		return false
	}
	c.lookQuiet()
	if !c.desk.direct && c.desk.q.ready() {
		c.desk.notify()
	}
	return true
}
