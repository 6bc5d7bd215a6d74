package workerpool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// core is the engine under Pool (T is a job) and FuncPool (T is the argument):
// queues, workers and books. What a T is, its kind knows.
//
// Lock order: gate.mu before mu, which is a leaf. No user function runs under
// either, no channel is waited for under them, and holders never sleep.
type core[T any] struct {
	cfg    Config
	kind   kind[T]
	clock  sampler
	clean  context.Context // has the pprof labels of workers between tasks
	direct bool            // NoQueue: tasks pass through q.levels[0].spill to reserved workers
	grows  bool            // Unbounded: what does not fit into the ring goes to the spill

	crew     crew[T]       // mu is the mutex that guards some of it
	alert    atomic.Uint32 // rare conditions
	q        queues[T]     // mu is the mutex that guards some of it
	search   search
	yielders atomic.Int32 // submitters that yield at a full queue
	waiting  atomic.Int64 // submitters that wait for room, views' among them
	held     atomic.Int64 // tasks accepted by views that are not in the pool's queue yet
	books    books
	reports  reports

	mu      sync.Mutex
	weeding budget                // guarded by mu
	quiets  []*quietWaiter        // guarded by mu
	views   map[*gate[T]]struct{} // guarded by mu; views with a queue of their own
	closed  bool                  // guarded by mu; submissions are refused
	monitor *monitoring           // nil without Config.Monitor
}

// kind says what core must know of the values that it runs.
type kind[T any] struct {
	run    func(*worker[T], T) // runs one; may panic or Goexit
	drop   func(T, error)      // ends one that will not run
	report func(T) DroppedTask // describes one that was dropped
	over   func(T) (ending, bool)
	bury   func(T) // ends one that over reported and that was taken out of its queue
}

// ending is how a task that does not run ended.
type ending uint8

const (
	canceled ending = iota // its ctx was done before it started
	timedOut               // its deadline had passed before it started
)

// Bits of core.alert, changed under mu.
const (
	alertQuiet   = 1 << iota // somebody waits for the pool to become quiet
	alertClosed              // new tasks are refused
	alertExpired             // a Shutdown gave up: tasks with a ctx are cancelled
	alertCtx                 // tasks with a ctx have been submitted: queued ones may have ended
)

// sampler reads the clock for one ticket in mask+1. The clock is relative to the
// pool's creation, so it is virtual inside a testing/synctest bubble.
type sampler struct {
	base time.Time
	mask uint64
	on   bool
}

func (s *sampler) now() int64 { return int64(time.Since(s.base)) + 1 }

// sample returns the time for ticket t, or 0 where t is not to be measured.
func (s *sampler) sample(t uint64) int64 {
	if !s.on || t&s.mask != 0 {
		return 0
	}
	return s.now()
}

func newCore[T any](cfg Config, kind kind[T]) (*core[T], error) {
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	c := &core[T]{
		cfg: cfg, kind: kind,
		direct:  cfg.QueueSize == NoQueue,
		grows:   cfg.QueueSize == Unbounded,
		clean:   cleanLabels(cfg.Name),
		weeding: newBudget(),
	}
	c.reports = reports{name: cfg.Name, onPanic: cfg.OnPanic, onDrop: cfg.OnDrop, now: c.clock.now}
	c.search.spin = int64(cfg.Spin)
	c.clock = sampler{base: time.Now(), on: cfg.Timing != Off}
	if cfg.Timing == Sampled {
		c.clock.mask = sampleEvery - 1
	}
	if c.clock.on {
		c.books.wait, c.books.run = new(stats.Histogram), new(stats.Histogram)
	}
	size := cfg.QueueSize
	switch {
	case c.direct:
		size = 1 // unused
	case c.grows:
		size = defaultQueueSize
	}
	c.q.init(cfg.Priorities, size, c.direct, &c.clock)
	c.crew.init(&cfg, &c.mu, func(w *worker[T]) { c.serve(w) })
	c.crew.grow(cfg.MinWorkers)
	if cfg.Monitor != nil {
		c.monitor = startMonitor(cfg.Monitor, &c.reports, monitored{
			stats:   c.stats,
			scaleTo: c.crew.scaleTo,
			stalled: func(after time.Duration) []StalledTask {
				return stalled(c.crew.roll.running(), c.clock.now(), after)
			},
		})
	}
	return c, nil
}

// published makes sure that somebody will look at the queue after a value was
// put into it.
func (c *core[T]) published() {
	if !c.crew.searched() {
		c.notify()
	}
}

// A wake-up on its way is enough for small backlogs; from this many waiting tasks
// on a second one is sent (the comparison's case burst/tasks=100).
const secondWake = 16

// notify wakes an idle worker or starts a new one, unless one is looking for work
// already, or none may be had: then the busy ones will find the task.
func (c *core[T]) notify() {
	for {
		s, next := c.crew.wanted()
		if next == tokenNone || next == tokenTwo && c.q.backlog() < secondWake {
			return
		}
		switch c.crew.call(s, next) {
		case callNone, callDone:
			return
		case callRefused:
			if !c.q.ready() {
				return
			}
		}
	}
}

// take removes the task to run next.
func (c *core[T]) take() (v T, at int64, ok bool) {
	if c.direct {
		return c.takeDirect()
	}
	if c.q.flags.Load()&someNested != 0 {
		if v, at, ok = c.takeNested(); ok {
			return v, at, ok
		}
	}
	v, at, ok = c.q.take()
	if c.q.flags.Load()&someOutside != 0 && c.refillAll() && !ok {
		return c.q.take()
	}
	return v, at, ok
}

func yield() { runtime.Gosched() }
