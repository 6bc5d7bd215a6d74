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
	levels []level[T] // one per priority, lowest first; 1 at least
	clock  sampler
	clean  context.Context // has the pprof labels of workers between tasks
	direct bool            // NoQueue: tasks pass through levels[0].spill to reserved workers
	grows  bool            // Unbounded: what does not fit into the ring goes to the spill

	_        stats.Pad
	ctl      ctl
	arriving atomic.Int64 // woken or new workers that have not looked for a task yet; active already or about to be
	_        [stats.Line - 16]byte
	alert    atomic.Uint32 // rare conditions that workers look for after each take
	limit    atomic.Int64  // workers allowed now: max + comp
	_        [stats.Line - 16]byte

	search   search
	turn     atomic.Uint32 // takes of a pool with priorities
	yielders atomic.Int32  // submitters that yield at a full queue
	waiting  atomic.Int64  // submitters that wait for room, views' among them
	held     atomic.Int64  // tasks accepted by views that are not in the pool's queue yet
	books    books
	logged   panicLog

	mu         sync.Mutex
	idlers     idlers[T] // guarded by mu
	timer      *time.Timer
	armed      bool                  // guarded by mu; timer is running
	all        *worker[T]            // guarded by mu; list of all live workers
	goroutines map[uint64]*worker[T] // guarded by mu; what runs a task, by rt.Goroutine
	min        int                   // guarded by mu; as configured
	keep       int                   // guarded by mu; min, or what the monitor's Scale asks for
	max        int                   // guarded by mu
	comp       int                   // guarded by mu; workers blocked on the pool itself
	outside    int                   // guarded by mu; values in all spills and waiters lists
	weeding    budget                // guarded by mu
	quiets     []*quietWaiter        // guarded by mu
	views      map[*gate[T]]struct{} // guarded by mu; views with a queue of their own
	closed     bool                  // guarded by mu; submissions are refused
	paused     bool                  // guarded by mu
	gone       chan struct{}         // closed when the last worker ended after a close
	monitor    *monitoring           // nil without Config.Monitor
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
	alertWaiting = 1 << iota // a spill or a waiters list is not empty
	alertSurplus             // more workers than the limit
	alertQuiet               // somebody waits for the pool to become quiet
	alertStop                // idle workers must end
	alertClosed              // new tasks are refused
	alertExpired             // a Shutdown gave up: tasks with a ctx are cancelled
	alertCtx                 // tasks with a ctx have been submitted: queued ones may have ended
)

// level is the queue of one priority. spill and waiters are guarded by core.mu.
type level[T any] struct {
	ring    ring[T]
	quarter uint64 // a full ring takes from spill or waiters at this much room
	spill   spill[T]
	waiters waiters[T]
	due     atomic.Uint64 // the head's ticket at which others are barred in favour of the waiters
	grants  int           // guarded by core.mu; how many more waiters a barred ring lets in
}

// notDue in level.due: nobody waits.
const notDue = math.MaxUint64

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
		gone:       make(chan struct{}),
		levels:     make([]level[T], cfg.Priorities),
		goroutines: map[uint64]*worker[T]{},
		weeding:    newBudget(),
	}
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
	for i := range c.levels {
		l := &c.levels[i]
		l.ring.init(size)
		l.quarter = uint64(max(size/4, 1))
		l.due.Store(notDue)
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

// take removes the task to run next.
func (c *core[T]) take() (v T, at int64, ok bool) {
	if c.direct {
		return c.takeDirect()
	}
	if len(c.levels) == 1 {
		v, at, ok = c.levels[0].ring.take()
	} else {
		v, at, ok = c.takeLevels()
	}
	if c.alert.Load()&alertWaiting != 0 && c.refillAll() && !ok {
		return c.takeLevels()
	}
	return v, at, ok
}

// lowTurn: one in so many takes of a pool with priorities begins below the highest
// level, at each of the lower levels in turn, so that none starves.
const lowTurn = 64

// takeLevels takes from the highest level that has a task, or, where it is a lower
// level's turn, from that one or else the next that has one.
func (c *core[T]) takeLevels() (v T, at int64, ok bool) {
	top := len(c.levels) - 1
	if top > 0 {
		if t := c.turn.Add(1); t%lowTurn == 0 {
			for i := range top {
				l := &c.levels[(int(t/lowTurn%uint32(top))+i)%top]
				if v, at, ok = l.ring.take(); ok {
					return v, at, ok
				}
			}
		}
	}
	for i := top; i >= 0; i-- {
		if v, at, ok = c.levels[i].ring.take(); ok {
			return v, at, ok
		}
	}
	return v, at, ok
}

func yield() { runtime.Gosched() }
