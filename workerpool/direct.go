package workerpool

// Without a queue, a submission reserves a worker and hands it the task; workers
// are counted active from the reservation on. All of it happens under mu: a finer
// scheme would gain nothing, because each task costs a wake-up anyway.

// submitDirect hands v to a worker of its own or returns ErrFull.
func (c *core[T]) submitDirect(l *level[T], v T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if l.waiters.len() > 0 || c.crew.reserve() == noWorker {
		c.mu.Unlock()
		return ErrFull
	}
	return c.handOver(l, c.q.pass(v))
}

// handOver gives it, which is booked as handed, to the worker that reserve made active,
// and releases mu.
func (c *core[T]) handOver(l *level[T], it item[T]) error {
	l.spill.push(it)
	c.crew.sendAny()
	return nil
}

// takeDirect takes a task that was handed over, or else the one that has waited
// longest. An active worker that finds none goes idle in the same critical section,
// see sleepDirect.
func (c *core[T]) takeDirect() (v T, at int64, ok bool) {
	l := &c.q.levels[0]
	c.mu.Lock()
	if l.spill.len > 0 {
		it := l.spill.pop()
		c.mu.Unlock()
		return it.val, it.at, true
	}
	if !c.directWaiting() {
		c.mu.Unlock()
		return v, 0, false
	}
	it, s := c.nextDirect(l)
	c.mu.Unlock()
	if s != nil {
		s.done <- nil
	}
	return it.val, it.at, true
}

// directWaiting reports whether a value waits that an active worker may take. The
// caller holds mu.
func (c *core[T]) directWaiting() bool {
	return c.q.nested.len+c.q.levels[0].waiters.len() > 0 && c.crew.mayTake()
}

// nextDirect removes the value that waits for a worker next and returns the
// submitter to be told, if it has one. The caller holds mu.
func (c *core[T]) nextDirect(l *level[T]) (it item[T], s *waiter[T]) {
	if c.q.nested.len > 0 {
		return c.q.popNested(), nil
	}
	s = l.waiters.oldest()
	v, accepted := s.val, s.accepted
	c.q.unwait(l, s)
	if accepted {
		s = nil
	}
	return c.q.pass(v), s
}

// matchBlocked hands waiting tasks to idle or new workers: after a resize,
// a resume, or when a worker went idle just as a submitter blocked.
func (c *core[T]) matchBlocked() {
	l := &c.q.levels[0]
	for {
		c.mu.Lock()
		if c.q.nested.len+l.waiters.len() == 0 || c.crew.reserve() == noWorker {
			c.mu.Unlock()
			return
		}
		it, s := c.nextDirect(l)
		_ = c.handOver(l, it)
		if s != nil {
			s.done <- nil
		}
	}
}
