package workerpool

import (
	"context"
	"math"
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

	_        stats.Pad
	ctl      ctl
	arriving arrivals
	_        [stats.Line - 16]byte
	alert    atomic.Uint32 // rare conditions that workers look for after each take
	limit    atomic.Int64  // workers allowed now: max + comp
	_        [stats.Line - 16]byte

	q        queues[T] // mu is the mutex that guards some of it
	search   search
	yielders atomic.Int32 // submitters that yield at a full queue
	waiting  atomic.Int64 // submitters that wait for room, views' among them
	held     atomic.Int64 // tasks accepted by views that are not in the pool's queue yet
	roll     roll[T]
	books    books
	reports  reports

	mu      sync.Mutex
	idlers  idlers[T] // guarded by mu
	timer   *time.Timer
	armed   bool                  // guarded by mu; timer is running
	min     int                   // guarded by mu; as configured
	keep    int                   // guarded by mu; min, or what the monitor's Scale asks for
	max     int                   // guarded by mu
	comp    int                   // guarded by mu; workers blocked on the pool itself
	weeding budget                // guarded by mu
	quiets  []*quietWaiter        // guarded by mu
	views   map[*gate[T]]struct{} // guarded by mu; views with a queue of their own
	closed  bool                  // guarded by mu; submissions are refused
	gone    chan struct{}         // closed when the last worker ended after a close
	monitor *monitoring           // nil without Config.Monitor
}

// arrivals counts the woken and new workers that have not looked for a task yet, which are
// active already or about to be, and, above, how many there ever were: who reads the
// same twice, and none now, knows that there was none in between.
type arrivals struct{ n atomic.Uint64 }

func (a *arrivals) begin() { a.n.Add(1<<32 + 1) }

func (a *arrivals) end() { a.n.Add(math.MaxUint64) }

// load returns what to compare with, and whether there is one now.
func (a *arrivals) load() (mark uint64, some bool) {
	mark = a.n.Load()
	return mark, uint32(mark) != 0
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
	alertSurplus = 1 << iota // more workers than the limit
	alertQuiet               // somebody waits for the pool to become quiet
	alertStop                // idle workers must end
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
		direct: cfg.QueueSize == NoQueue,
		grows:  cfg.QueueSize == Unbounded,
		clean:  cleanLabels(cfg.Name),
		min:    cfg.MinWorkers, keep: cfg.MinWorkers, max: cfg.MaxWorkers,
		gone:    make(chan struct{}),
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
	c.limit.Store(int64(c.max))
	c.growTo(c.min)
	if cfg.Monitor != nil {
		c.monitor = startMonitor(cfg.Monitor, c, &c.reports)
	}
	return c, nil
}

// published makes sure that somebody will look at the queue after a value was
// put into it.
func (c *core[T]) published() {
	if s := c.ctl.load(); s.token() != tokenSearch {
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
		s := c.ctl.load()
		var next ctlState
		switch s.token() {
		case tokenNone:
			next = tokenComing
		case tokenComing:
			if s.idle() == 0 && s.workers() >= int(c.limit.Load()) || c.q.backlog() < secondWake {
				return
			}
			next = tokenTwo
		default:
			return
		}
		switch {
		case s.paused():
			return
		case s.idle() > 0:
			if c.ctl.cas(s, (s - idleOne).withToken(next)) {
				c.mu.Lock()
				w := c.idlers.pop()
				c.mu.Unlock()
				c.books.wakes.Add(1)
				w.wake <- true
				return
			}
		case s.workers() < int(c.limit.Load()):
			if c.ctl.cas(s, (s + workerOne).withToken(next)) {
				c.spawn()
				return
			}
		default:
			return
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
