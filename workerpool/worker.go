package workerpool

import (
	"log"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// worker is one goroutine of a pool. A task that calls runtime.Goexit ends the
// goroutine but not the worker, which gets a new one.
type worker struct {
	wake       chan bool // capacity 1; true: look for work, false: end
	prev, next *worker   // in core.all; guarded by core.mu
	takes      uint32    // own; for the every-64th rule
	goroutine  uint64    // own; the key in core.goroutines
	now        atomic.Pointer[running]
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

// spawn starts the goroutine of a worker already counted in ctl, or takes it out
// of the count again if the limit has gone down since.
func (c *core[T]) spawn() {
	w := &worker{wake: make(chan bool, 1)}
	c.mu.Lock()
	if !c.direct && c.ctl.load().workers() > int(c.limit.Load()) {
		c.ctl.unspawn()
		c.settleSurplus()
		c.closeGone()
		c.mu.Unlock()
		if c.ready() {
			c.notify() // its token is free: look once more
		}
		return
	}
	if w.next = c.all; w.next != nil {
		w.next.prev = w
	}
	c.all = w
	c.mu.Unlock()
	go c.start(w)
}

func (c *core[T]) start(w *worker) {
	c.bind(w)
	if !c.direct {
		c.ctl.arrive()
	}
	c.books.notePeak(c.ctl.load().workers())
	for !c.run(w) {
	}
}

// restart replaces the calling goroutine, which a task ended by runtime.Goexit.
func (c *core[T]) restart(w *worker) {
	c.mu.Lock()
	c.unbind(w)
	c.mu.Unlock()
	go func() {
		c.bind(w)
		for !c.run(w) {
		}
	}()
}

// run runs tasks until the worker ends (true) or one panics (false). One recover
// serves all the tasks until then, which saves each task 6 ns.
func (c *core[T]) run(w *worker) (ended bool) {
	defer func() {
		if ended {
			c.forget(w)
			return
		}
		if v := recover(); v != nil {
			c.books.panics.Add(1)
			c.handlePanic(w, &PanicError{Value: v, Stack: debug.Stack(), Pool: c.cfg.Name})
		} else {
			c.books.goexits.Add(1)
			c.restart(w)
		}
	}()
	c.loop(w)
	return true
}

// loop takes and runs tasks; the worker is active whenever it begins.
func (c *core[T]) loop(w *worker) {
	woken := true
	for {
		v, at, ok := c.take(w)
		if !ok {
			if !c.idle(w) {
				return
			}
			woken = true
			continue
		}
		if woken {
			// Its token is used up: where there is more work, the next worker's
			// turn comes now, before this one is busy.
			woken = false
			if !c.direct && c.ready() {
				c.notify()
			}
		}
		if at == 0 {
			c.count(c.exec(w, v))
		} else {
			c.runTimed(w, v, at)
		}
		if c.alert.Load()&alertSurplus != 0 && c.retireBusy() {
			return
		}
	}
}

func (c *core[T]) runTimed(w *worker, v T, at int64) {
	start := c.clock.now()
	c.books.wait.Record(time.Duration(start - at))
	defer func() { // runs after a panic too
		end := c.clock.now()
		c.books.run.Record(time.Duration(end - start))
		c.books.last.Store(end)
	}()
	c.count(c.exec(w, v))
}

// count books how a task ended. Plain completions need no counter: they are what
// remains.
func (c *core[T]) count(o outcome) {
	switch o {
	case completed:
	case failed:
		c.books.failed.Add(1)
	case panicked:
		c.books.panics.Add(1)
	case canceled:
		c.books.canceled.Add(1)
	case timedOut:
		c.books.timedOut.Add(1)
	}
}

// callerRun runs a task in the submitting goroutine.
func (c *core[T]) callerRun(v T) {
	w := new(worker)
	ended := false
	defer func() {
		if !ended {
			if r := recover(); r != nil {
				c.books.panics.Add(1)
				c.tellPanic(&PanicError{Value: r, Stack: debug.Stack(), Pool: c.cfg.Name})
			} else {
				c.books.goexits.Add(1)
			}
		}
		c.books.callerRan.Add(1)
	}()
	c.count(c.exec(w, v))
	ended = true
}

// handlePanic tells the user of a panic. If the handler itself ends the goroutine,
// the worker gets a new one.
func (c *core[T]) handlePanic(w *worker, e *PanicError) {
	returned := false
	defer func() {
		if !returned {
			c.restart(w)
		}
	}()
	c.tellPanic(e)
	returned = true
}

// tellPanic calls the user's handler and contains its panic.
func (c *core[T]) tellPanic(e *PanicError) {
	if c.cfg.OnPanic == nil {
		log.Printf("%v\n%s", e, e.Stack)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			c.books.handlerPanics.Add(1)
			logPanic("OnPanic", v)
		}
	}()
	c.cfg.OnPanic(e)
}

func logPanic(who string, v any) {
	log.Printf("workerpool: %s panicked: %v\n%s", who, v, debug.Stack())
}
