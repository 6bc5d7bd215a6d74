package workerpool

// Without a queue, a submission reserves a worker and hands it the task; workers
// are counted active from the reservation on. All of it happens under mu: there
// is nothing to win here by a finer scheme, as each task costs a wake-up anyway.

// submitDirect hands v to a worker of its own or returns ErrFull.
func (c *core[T]) submitDirect(l *level[T], v T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if l.blocked.len+l.forced.len > 0 || !c.reserve() {
		c.mu.Unlock()
		return ErrFull
	}
	return c.handOver(l, v)
}

// reserve makes an idle worker active, or counts a new active one where the limit
// allows it. The caller holds mu and, if it returned true, calls handOver.
func (c *core[T]) reserve() bool {
	for {
		s := c.ctl.load()
		switch {
		case s.paused():
			return false
		case s.idle() > 0:
			if c.ctl.cas(s, s-idleOne+activeOne) {
				return true
			}
		case s.workers() < int(c.limit.Load()):
			if c.ctl.cas(s, s+workerOne+activeOne) {
				return true
			}
		default:
			return false
		}
	}
}

// handOver gives v to the worker that reserve made active and releases mu.
// Tasks and reserved workers are equal in number, so it does not matter which
// worker takes which task.
func (c *core[T]) handOver(l *level[T], v T) error {
	l.spill.push(item[T]{v, c.clock.sample(c.books.handed.Add(1))})
	var w *worker
	if len(c.idlers) > 0 {
		w = c.popIdle()
	}
	c.mu.Unlock()
	if w != nil {
		c.books.wakes.Add(1)
		w.wake <- true
	} else {
		c.spawn()
	}
	return nil
}

// takeDirect takes a task that was handed over, or else that of the longest
// blocked submitter. An active worker that finds none goes idle in the same
// critical section, see sleepDirect.
func (c *core[T]) takeDirect() (v T, at int64, ok bool) {
	l := &c.levels[0]
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
	v, s := c.nextDirect(l)
	at = c.clock.sample(c.books.handed.Add(1))
	c.mu.Unlock()
	if s != nil {
		s.done <- nil
	}
	return v, at, true
}

// directWaiting reports whether a value waits that an active worker may take. The
// caller holds mu.
func (c *core[T]) directWaiting() bool {
	l, s := &c.levels[0], c.ctl.load()
	return l.forced.len+l.blocked.len > 0 && !s.paused() && s.workers() <= int(c.limit.Load())
}

// nextDirect removes the value that waits for a worker next, accepted ones first,
// and the submitter to be told, if it has one. The caller holds mu.
func (c *core[T]) nextDirect(l *level[T]) (v T, s *submitter[T]) {
	c.setWaiting(-1)
	if l.forced.len > 0 {
		return l.forced.pop().val, nil
	}
	s = l.blocked.head
	v = s.val
	l.blocked.remove(s)
	return v, s
}

// matchBlocked hands waiting tasks to idle or new workers: after a resize,
// a resume, or when a worker went idle just as a submitter blocked.
func (c *core[T]) matchBlocked() {
	l := &c.levels[0]
	for {
		c.mu.Lock()
		if l.blocked.len+l.forced.len == 0 || !c.reserve() {
			c.mu.Unlock()
			return
		}
		v, s := c.nextDirect(l)
		_ = c.handOver(l, v)
		if s != nil {
			s.done <- nil
		}
	}
}
