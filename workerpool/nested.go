package workerpool

import "github.com/poundlock/poundlock/internal/rt"

// self returns what runs one of this pool's tasks on the calling goroutine, else
// nil. It is asked only where a call is about to wait.
func (c *core[T]) self() *worker[T] {
	id := rt.Goroutine()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goroutines[id]
}

// inside reports whether the caller is a task on one of the pool's workers, for
// whose end Close, Wait and Pause would wait.
func (c *core[T]) inside() bool { return c.self().own() != nil }

// own returns the worker whose goroutine w runs on: w itself, or that of the task
// whose submission w runs, or nil on a goroutine that is not the pool's.
func (w *worker[T]) own() *worker[T] {
	for w != nil && w.caller {
		w = w.outer
	}
	return w
}

// bind makes the calling goroutine that of w.
func (c *core[T]) bind(w *worker[T]) {
	w.goroutine = rt.Goroutine()
	c.mu.Lock()
	w.outer = c.goroutines[w.goroutine]
	c.goroutines[w.goroutine] = w
	c.mu.Unlock()
}

// unbind ends that, before the goroutine ends: another may get its number then.
func (c *core[T]) unbind(w *worker[T]) {
	c.mu.Lock()
	c.unbindLocked(w)
	c.mu.Unlock()
}

// unbindLocked is unbind for callers that hold mu.
func (c *core[T]) unbindLocked(w *worker[T]) {
	if w.outer != nil {
		c.goroutines[w.goroutine] = w.outer
		w.outer = nil
	} else {
		delete(c.goroutines, w.goroutine)
	}
}

// absence is the time in which a task of the pool waits, perhaps for others of its
// tasks: one more worker may run meanwhile, and one more task of each view whose
// places the waiting ones hold. The zero absence is that of any other goroutine.
type absence[T any] struct {
	c     *core[T]
	own   *worker[T] // the worker that waits, if it is one
	inner *worker[T]
}

// stepAside begins the absence of the calling goroutine, if it runs a task of the
// pool, before a wait; the caller ends it by back, or must not wait if err is
// not nil.
func (c *core[T]) stepAside() (absence[T], error) {
	a, err := c.makePlace()
	if a.own != nil {
		c.kick()
	}
	return a, err
}

// makePlace is stepAside that does not look for a task which may run now.
func (c *core[T]) makePlace() (a absence[T], err error) {
	w := c.self()
	if w == nil {
		return a, nil
	}
	a = absence[T]{c, w.own(), w}
	if a.own != nil {
		if err := c.compensate(); err != nil {
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
		a.c.uncompensate()
	}
}

func (a absence[T]) lend(d int) {
	for w := a.inner; w != nil; w = w.outer {
		if w.gate != nil {
			w.gate.lend(d)
		}
	}
}

// compensate allows one more worker, because one waits for the pool itself.
func (c *core[T]) compensate() error {
	c.mu.Lock()
	if c.comp >= c.cfg.MaxNested {
		c.mu.Unlock()
		c.books.nestedRefused.Add(1)
		return ErrNested
	}
	c.comp++
	c.setLimit()
	c.mu.Unlock()
	return nil
}

func (c *core[T]) uncompensate() {
	c.mu.Lock()
	c.comp--
	c.setLimit()
	c.mu.Unlock()
	if c.alert.Load()&alertSurplus != 0 {
		c.reap()
	}
}

// runNested has v, for which a task of the pool is about to wait, run at once by
// the worker that takes the place of that task, past the queue: were it to wait its
// turn there, each task before it that does the same would cost one more worker. It
// returns ErrFull where none may be had now.
func (c *core[T]) runNested(l *level[T], v T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	how := c.reserve()
	switch {
	case how == noWorker:
		c.mu.Unlock()
		return ErrFull
	case c.direct:
		return c.handOver(l, v)
	}
	c.wakeReserved(how, item[T]{v, c.clock.sample(c.books.handed.Add(1))}, true)
	return nil
}
