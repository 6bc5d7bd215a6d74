package workerpool

// Without a queue, a submission reserves a worker and hands it the task; workers
// are counted active from the reservation on. All of it happens under mu: a finer
// scheme would gain nothing, because each task costs a wake-up anyway.

// submitDirect hands v to a worker of its own or returns ErrFull.
func (d *desk[T]) submitDirect(l *level[T], v T) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return ErrClosed
	}
	if l.waiters.len() > 0 || d.crew.reserve() == noWorker {
		d.mu.Unlock()
		return ErrFull
	}
	d.handOver(l, d.q.pass(v))
	return nil
}

// handOver gives it, which is booked as handed, to the worker that reserve made active,
// and releases mu.
func (d *desk[T]) handOver(l *level[T], it item[T]) {
	l.spill.push(it)
	d.crew.sendAny()
}

// takeDirect takes a task that was handed over, or else the one that has waited
// longest. An active worker that finds none goes idle in the same critical section,
// see restDirect.
func (d *desk[T]) takeDirect() (v T, at int64, ok bool) {
	l := &d.q.levels[0]
	d.mu.Lock()
	if l.spill.len > 0 {
		it := l.spill.pop()
		d.mu.Unlock()
		return it.val, it.at, true
	}
	if !d.directWaiting() {
		d.mu.Unlock()
		return v, 0, false
	}
	it, s := d.q.nextDirect(l)
	d.mu.Unlock()
	if s != nil {
		s.done <- nil
	}
	return it.val, it.at, true
}

// restDirect makes w one that can be woken with a task, unless there is one already: it
// stays active then. It reports whether w was the last active worker.
func (d *desk[T]) restDirect(w *worker[T]) (stays, last bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.q.levels[0].spill.len > 0 || d.directWaiting() {
		return true, false // it arrived since take looked
	}
	return false, d.crew.lieDownDirect(w)
}

// restedDirect is what a worker looks at once it has lain down: whether there are too many,
// and whether a task waits that it did not take because there were, until others ended.
func (d *desk[T]) restedDirect() {
	d.crew.endSurplus()
	if d.q.flags.Load()&someOutside != 0 {
		d.kick()
	}
}

// directWaiting reports whether a value waits that an active worker may take. The
// caller holds mu.
func (d *desk[T]) directWaiting() bool {
	return d.q.nested.len+d.q.levels[0].waiters.len() > 0 && d.crew.mayTake()
}

// matchBlocked hands waiting tasks to idle or new workers: after a resize,
// a resume, or when a worker went idle just as a submitter blocked.
func (d *desk[T]) matchBlocked() {
	l := &d.q.levels[0]
	for {
		d.mu.Lock()
		if d.q.nested.len+l.waiters.len() == 0 || d.crew.reserve() == noWorker {
			d.mu.Unlock()
			return
		}
		it, s := d.q.nextDirect(l)
		d.handOver(l, it)
		if s != nil {
			s.done <- nil
		}
	}
}
