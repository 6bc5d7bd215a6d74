package workerpool

// own returns the worker whose goroutine w runs on: w itself, or that of the task
// whose submission w runs, or nil on a goroutine that is not the pool's.
func (w *worker[T]) own() *worker[T] {
	for w != nil && w.caller {
		w = w.outer
	}
	return w
}

// absence is the time in which a task of the pool waits, perhaps for others of its
// tasks: one more worker may run meanwhile, and one more task of each view whose
// places the waiting ones hold. The zero absence is that of any other goroutine.
type absence[T any] struct {
	crew  *crew[T]
	own   *worker[T] // the worker that waits, if it is one
	inner *worker[T] // what runs the task: own, or a submitter that runs one itself
}

// absent begins the absence of the calling goroutine, if that runs a task of the pool
// of crew, before a wait. The caller ends it by back, or must not wait if err is not
// nil.
func absent[T any](crew *crew[T]) (a absence[T], err error) {
	w := crew.roll.self()
	if w == nil {
		return a, nil
	}
	a = absence[T]{crew, w.own(), w}
	if a.own != nil {
		if err := crew.compensate(); err != nil {
			return absence[T]{}, err
		}
	}
	a.lend(1)
	return a, nil
}

// back ends the absence.
func (a absence[T]) back() {
	if a.inner == nil {
		return
	}
	a.lend(-1)
	if a.own != nil {
		a.crew.uncompensate()
	}
}

func (a absence[T]) lend(d int) {
	for w := a.inner; w != nil; w = w.outer {
		if w.gate != nil {
			w.gate.lend(d)
		}
	}
}

// stepAside is absent, and looks for a task that may run now.
func (d *desk[T]) stepAside() (absence[T], error) {
	a, err := absent(&d.crew)
	if a.own != nil {
		d.kick()
	}
	return a, err
}

// runNested has v, for which a task of the pool is about to wait, run at once by
// the worker that takes the place of that task, past the queue: were it to wait its
// turn there, each task before it that does the same would cost one more worker. Where
// the place is taken, because a worker too many has not ended yet, v is the next thing
// that any worker takes. It returns ErrFull while the pool is paused.
func (d *desk[T]) runNested(v T) error {
	d.mu.Lock()
	switch {
	case d.closed:
		d.mu.Unlock()
		return ErrClosed
	case d.q.held:
		d.mu.Unlock()
		return ErrFull
	}
	d.q.nested.push(item[T]{v, d.q.clock.sample(d.q.passed.Load())})
	how := d.crew.reserve()
	if how == noWorker {
		d.q.flagNested()
		d.mu.Unlock()
		d.kick() // for a worker that went to sleep before it could see someNested
		return nil
	}
	it := d.q.popNested()
	if d.direct {
		d.handOver(&d.q.levels[0], it)
		return nil
	}
	d.crew.send(how, it, true)
	return nil
}

// takeNested takes the value for which a task has waited longest in nested.
func (d *desk[T]) takeNested() (v T, at int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.q.nested.len == 0 || d.q.held {
		return v, 0, false
	}
	it := d.q.popNested()
	return it.val, it.at, true
}
