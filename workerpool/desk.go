package workerpool

import (
	"runtime"
	"sync"

	"github.com/poundlock/poundlock/internal/stats"
)

// desk is where tasks and workers meet. It has the queues and the crew, and the mutex
// over both, because some steps change the two at once: a worker is reserved and gets a
// task, a limit changes and a waiting task may go on. It does not know what a task is,
// nor how it runs.
//
// The rule of all its methods: code that makes work visible looks for a worker
// afterwards (published, notify), and code that makes a worker visible looks for work
// afterwards (kick). So where the two happen at the same moment, one sees the other.
type desk[T any] struct {
	crew   crew[T]
	_      stats.Pad // each take looks at what follows, and each sleep writes what is before
	direct bool      // NoQueue: tasks pass through q.levels[0].spill to reserved workers
	grows  bool      // Unbounded: what does not fit into the ring goes to the spill
	q      queues[T]

	mu      sync.Mutex
	closed  bool // guarded by mu; submissions are refused
	expired bool // guarded by mu; so are tasks that a view has accepted
}

// init sets up a desk with the workers of cfg, each of which runs live.
func (d *desk[T]) init(cfg *Config, clock *sampler, live func(*worker[T])) {
	d.direct, d.grows = cfg.QueueSize == NoQueue, cfg.QueueSize == Unbounded
	size := cfg.QueueSize
	switch {
	case d.direct:
		size = 1 // unused
	case d.grows:
		size = defaultQueueSize
	}
	d.q.init(cfg.Priorities, size, d.direct, clock)
	d.crew.init(cfg, &d.mu, live)
}

// published makes sure that somebody will look at the queue after a value was
// put into it.
func (d *desk[T]) published() {
	if !d.crew.searched() {
		d.notify()
	}
}

// A wake-up on its way is enough for small backlogs; from this many waiting tasks
// on a second one is sent (the comparison's case burst/tasks=100).
const secondWake = 16

// notify wakes an idle worker or starts a new one, unless one is looking for work
// already, or none may be had: then the busy ones will find the task.
func (d *desk[T]) notify() {
	for {
		s, next := d.crew.wanted()
		if next == tokenNone || next == tokenTwo && d.q.backlog() < secondWake {
			return
		}
		switch d.crew.call(s, next) {
		case callNone, callDone:
			return
		case callRefused:
			if !d.q.ready() {
				return
			}
		}
	}
}

// kick looks for work that may be started now but was not when it came.
func (d *desk[T]) kick() {
	if d.direct {
		d.matchBlocked()
	} else if d.q.ready() {
		d.notify()
	}
}

// take removes the task to run next.
func (d *desk[T]) take() (v T, at int64, ok bool) {
	if d.direct {
		return d.takeDirect()
	}
	if d.q.flags.Load()&someNested != 0 {
		if v, at, ok = d.takeNested(); ok {
			return v, at, ok
		}
	}
	v, at, ok = d.q.take()
	if d.q.flags.Load()&someOutside != 0 && d.refillAll() && !ok {
		return d.q.take()
	}
	return v, at, ok
}

// pause holds or releases every queue. The caller holds mu.
func (d *desk[T]) pause(on bool) {
	d.q.hold(on)
	d.crew.pause(on)
}

// close refuses submissions from now on. It returns the submitters that wait, whose
// tasks were not accepted, for the caller to tell them.
func (d *desk[T]) close() (refused []*waiter[T]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	refused = d.q.close()
	d.crew.close()
	if d.q.held {
		d.pause(false)
	}
	return refused
}

// expire refuses also what force would accept.
func (d *desk[T]) expire() {
	d.mu.Lock()
	d.expired = true
	d.mu.Unlock()
}

func yield() { runtime.Gosched() }
