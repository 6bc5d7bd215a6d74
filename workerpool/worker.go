package workerpool

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/poundlock/poundlock/internal/list"
	"github.com/poundlock/poundlock/internal/rt"
)

// worker is one goroutine of a pool. A task that calls runtime.Goexit ends the
// goroutine but not the worker, which gets a new one.
type worker[T any] struct {
	wake  chan bool             // capacity 1; true: look for work, false: end
	place list.Node[*worker[T]] // in crew.roll
	now   atomic.Pointer[running]

	// Written by the goroutine that reserved the worker, before it wakes or starts.
	reserved bool    // it is counted active already
	asleep   bool    // it begins among the sleeping
	arriving bool    // it is counted in crew.arriving; own once it runs
	gift     item[T] // the task to run first, if given is set
	given    bool

	// Own.
	goroutine uint64         // the key in crew.roll
	outer     *worker[T]     // whose place in crew.roll this one took, see callerRun
	caller    bool           // a submitter that runs its task itself: none of the pool's workers
	gate      *gate[T]       // of the running task, if it came through one
	labels    unsafe.Pointer // as setLabels returned it
	booked    bool           // the task that ends the goroutine has booked its end itself
	cut       bool           // its last task did not return: what follows a task has not been done yet
}

// running is what a worker runs, kept only where somebody may ask: tasks with a
// ctx, and all tasks of a pool whose monitor reports stalls.
type running struct {
	mu     sync.Mutex
	task   any // a func or a job; nil between tasks
	since  int64
	cancel func(error)
	told   bool // this task's stall was reported
}

// begin notes what w runs.
func (w *worker[T]) begin(task any, cancel func(error), now int64) {
	r := w.now.Load()
	if r == nil {
		r = new(running)
		w.now.Store(r)
	}
	r.mu.Lock()
	r.task, r.cancel, r.since, r.told = task, cancel, now, false
	r.mu.Unlock()
}

// clearNow notes that w runs nothing.
func (w *worker[T]) clearNow() {
	if r := w.now.Load(); r != nil {
		r.mu.Lock()
		r.task, r.cancel = nil, nil
		r.mu.Unlock()
	}
}

// serve is the life of a worker's goroutine. However a task ends it, the worker goes
// on: with the same goroutine after a panic, with a new one after a runtime.Goexit.
func (c *core[T]) serve(w *worker[T]) {
	c.desk.crew.roll.bind(w)
	w.labels = setLabels(c.clean)
	ended := false
	defer func() { // the only place that every end of the goroutine passes
		if !ended {
			c.desk.crew.roll.unbind(w)
			go c.serve(w)
		}
	}()
	for !ended {
		ended = c.run(w)
	}
	c.desk.crew.forget(w)
}

// run runs tasks until the worker ends (true) or a task ends otherwise than by
// returning. One recover serves all the tasks until then, which saves each task
// 6 ns.
func (c *core[T]) run(w *worker[T]) bool {
	var how fate
	defer c.bookEnd(w, &how)
	contain(&how, func() { c.loop(w) })
	return how.kind == returned
}

// bookEnd books a task that did not return, unless it has done so itself.
func (c *core[T]) bookEnd(w *worker[T], how *fate) {
	w.cut = how.kind != returned
	if w.booked {
		w.booked = false
		return
	}
	c.books.notReturned(how.kind)
	if how.kind == panicked {
		c.reports.panicked(how)
	}
}

// loop takes and runs tasks; the worker is active whenever it begins, unless it begins
// asleep.
func (c *core[T]) loop(w *worker[T]) {
	if w.asleep {
		w.asleep = false
		if !c.desk.crew.sleep(w) {
			return
		}
	}
	woken, ran := true, w.cut
	w.cut = false
	for {
		if ran { // a task, however it ended
			ran = false
			if !rt.SeesLabels || rt.Labels() != w.labels {
				w.labels = setLabels(c.clean)
			}
			if c.desk.crew.surplus.Load() && c.retire() {
				return
			}
		}
		v, at, ok := w.unwrap(woken)
		if !ok {
			v, at, ok = c.desk.take()
		}
		if !ok {
			if !c.idle(w) {
				return
			}
			woken = true
			continue
		}
		c.desk.crew.got(w)
		if woken {
			// Its token is used up: where there is more work, the next worker's
			// turn comes now, before this one is busy.
			woken = false
			if !c.desk.direct && c.desk.q.ready() {
				c.desk.notify()
			}
		}
		if at == 0 {
			c.kind.run(w, v)
		} else {
			c.runTimed(w, v, at)
		}
		ran = true
	}
}

// unwrap returns the task that w was given when it was woken, if any.
func (w *worker[T]) unwrap(woken bool) (v T, at int64, ok bool) {
	if !woken || !w.given {
		return v, 0, false
	}
	it := w.gift
	w.gift, w.given = item[T]{}, false
	return it.val, it.at, true
}

func (c *core[T]) runTimed(w *worker[T], v T, at int64) {
	start := c.clock.now()
	c.books.wait.RecordN(time.Duration(start-at), c.clock.mask+1)
	defer func() { // runs after a panic too
		end := c.clock.now()
		c.books.run.RecordN(time.Duration(end-start), c.clock.mask+1)
		c.books.last.Store(end)
	}()
	c.kind.run(w, v)
}

// callerRun runs a task in the submitting goroutine. That counts as a task of the
// pool meanwhile where it waits, but takes none of its workers.
func (c *core[T]) callerRun(v T) {
	w := &worker[T]{caller: true}
	var how fate
	c.desk.crew.roll.bind(w)
	defer func() {
		c.desk.crew.roll.unbind(w)
		c.books.callerEnded(how.kind)
		if how.kind == panicked {
			c.reports.panicked(&how)
		}
	}()
	contain(&how, func() { c.kind.run(w, v) })
}
