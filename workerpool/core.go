package workerpool

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// core is the engine under Pool (T is a job) and FuncPool (T is the argument):
// queues, workers and books. It knows nothing of what a T is.
//
// Lock order: mu is a leaf, below View.mu. No user function runs under it, no channel is waited
// for under it, and holders never sleep.
type core[T any] struct {
	cfg    Config
	exec   func(*worker, T) outcome // runs one task; may panic or Goexit
	drop   func(T, error)           // ends a task that will not run
	levels []level[T]               // one per priority, lowest first; 1 at least
	clock  sampler
	direct bool // NoQueue: tasks pass through levels[0].spill to reserved workers
	grows  bool // Unbounded: what does not fit into the ring goes to the spill

	_     stats.Pad
	ctl   ctl
	_     [stats.Line - 8]byte
	alert atomic.Uint32 // rare conditions that workers look for after each take
	limit atomic.Int64  // workers allowed now: max + comp
	_     [stats.Line - 16]byte

	yielders atomic.Int32 // submitters that yield at a full queue
	held     atomic.Int64 // tasks accepted by views that are not in the pool's queue yet
	books    books

	mu         sync.Mutex
	idlers     []*worker // guarded by mu; sleeping workers, last in first out
	low        int       // guarded by mu; fewest idlers since the shrink timer was armed
	timer      *time.Timer
	armed      bool               // guarded by mu; timer is running
	all        *worker            // guarded by mu; list of all live workers
	goroutines map[uint64]*worker // guarded by mu; the workers by rt.Goroutine
	min        int                // guarded by mu; as configured
	keep       int                // guarded by mu; min, or what the monitor's Scale asks for
	max        int                // guarded by mu
	comp       int                // guarded by mu; workers blocked on the pool itself
	waiting    int                // guarded by mu; values in all spills and blocked lists
	quiets     []*quietWaiter     // guarded by mu
	views      map[annex]struct{} // guarded by mu; views with a queue of their own
	closed     bool               // guarded by mu; submissions are refused
	paused     bool               // guarded by mu
	gone       chan struct{}      // closed when the last worker ended after a close
	monitor    *monitoring        // nil without Config.Monitor
}

// Bits of core.alert, changed under mu.
const (
	alertWaiting = 1 << iota // a spill or a blocked list is not empty
	alertSurplus             // more workers than the limit
	alertQuiet               // somebody waits for the pool to become quiet
	alertStop                // idle workers must end
	alertClosed              // new tasks are refused
	alertExpired             // a Shutdown gave up: tasks with a ctx are cancelled
)

// level is the queue of one priority. spill, forced and blocked are guarded by core.mu.
type level[T any] struct {
	ring    ring[T]
	quarter uint64 // a full ring takes from spill or blocked at this much room
	spill   spill[T]
	forced  spill[T] // without a queue: accepted values that no worker is reserved for
	blocked blocked[T]
}

// outcome is how a task ended that did not panic.
type outcome uint8

const (
	completed outcome = iota
	failed            // it returned an error
	panicked          // it panicked; the job has contained it
	canceled          // its ctx was done before it started
	timedOut          // its deadline had passed before it started
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

func newCore[T any](cfg Config, exec func(*worker, T) outcome, drop func(T, error)) (*core[T], error) {
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	c := &core[T]{
		cfg: cfg, exec: exec, drop: drop,
		direct: cfg.QueueSize == NoQueue,
		grows:  cfg.QueueSize == Unbounded,
		min:    cfg.MinWorkers, keep: cfg.MinWorkers, max: cfg.MaxWorkers,
		gone:       make(chan struct{}),
		levels:     make([]level[T], cfg.Priorities),
		goroutines: map[uint64]*worker{},
	}
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
	for i := range c.levels {
		c.levels[i].ring.init(size)
		c.levels[i].quarter = uint64(max(size/4, 1))
	}
	c.limit.Store(int64(c.max))
	c.growTo(c.min)
	if cfg.Monitor != nil {
		c.monitor = startMonitor(cfg.Monitor, c)
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
			if s.idle() == 0 && s.workers() >= int(c.limit.Load()) || c.backlog() < secondWake {
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
				w := c.popIdle()
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

// backlog returns about how many values the rings hold.
func (c *core[T]) backlog() uint64 {
	var n uint64
	for i := range c.levels {
		taken, put := c.levels[i].ring.counts()
		n += put - taken
	}
	return n
}

// ready reports whether a worker would find something to take.
func (c *core[T]) ready() bool {
	for i := range c.levels {
		if c.levels[i].ring.ready() {
			return true
		}
	}
	return false
}

// take removes the task to run next: from the highest level that has one, and
// every 64th time from the lowest, so that no level starves.
func (c *core[T]) take(w *worker) (v T, at int64, ok bool) {
	if c.direct {
		return c.takeDirect()
	}
	if len(c.levels) == 1 {
		v, at, ok = c.levels[0].ring.take()
	} else {
		v, at, ok = c.takeLevels(w)
	}
	if c.alert.Load()&alertWaiting != 0 && c.refillAll() && !ok {
		return c.takeLevels(w)
	}
	return v, at, ok
}

func (c *core[T]) takeLevels(w *worker) (v T, at int64, ok bool) {
	if w.takes++; w.takes%64 == 0 {
		for i := range c.levels {
			if v, at, ok = c.levels[i].ring.take(); ok {
				return v, at, ok
			}
		}
		return v, at, ok
	}
	for i := len(c.levels) - 1; i >= 0; i-- {
		if v, at, ok = c.levels[i].ring.take(); ok {
			return v, at, ok
		}
	}
	return v, at, ok
}

// refillAll moves waiting values into the rings that have enough room for it to
// be worth the lock, and reports whether it moved any.
func (c *core[T]) refillAll() bool {
	moved := false
	for i := range c.levels {
		if l := &c.levels[i]; l.ring.free() >= l.quarter {
			moved = c.refill(l) || moved
		}
	}
	return moved
}

// refill moves values from l's spill and from its blocked submitters, in turn,
// into the ring until it is full, and tells those submitters.
func (c *core[T]) refill(l *level[T]) bool {
	var wake [16]*submitter[T] // told outside the lock
	moved := false
	for {
		n, full := 0, false
		c.mu.Lock()
		for l.spill.len > 0 && !full {
			it := l.spill.peek()
			at := it.at
			if at == 0 {
				at = untimed // its wait began earlier than now
			}
			if full = l.ring.put(it.val, at, &c.clock, true) != putOK; !full {
				l.spill.pop()
				c.setWaiting(-1)
				moved = true
			}
		}
		for l.blocked.len > 0 && n < len(wake) && !full {
			s := l.blocked.head
			if full = l.ring.put(s.val, 0, &c.clock, false) != putOK; !full {
				l.blocked.remove(s)
				c.setWaiting(-1)
				wake[n] = s
				n++
				moved = true
			}
		}
		more := l.blocked.len > 0 && !full
		c.mu.Unlock()
		for _, s := range wake[:n] {
			s.done <- nil
		}
		if !more {
			break
		}
	}
	if moved {
		c.published()
	}
	return moved
}

// setWaiting changes the number of waiting values and keeps alertWaiting equal to
// "not zero". The caller holds mu.
func (c *core[T]) setWaiting(d int) {
	was := c.waiting
	c.waiting += d
	switch {
	case was == 0 && c.waiting > 0:
		c.alert.Or(alertWaiting)
	case was > 0 && c.waiting == 0:
		c.alert.And(math.MaxUint32 &^ alertWaiting)
	}
}

func yield() { runtime.Gosched() }
