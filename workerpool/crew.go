package workerpool

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// crew is the workers of a pool: how many there are and how many there may be, which of
// them sleep, and which of them must end. It knows nothing of tasks and queues. A worker
// that it takes out of the count may have been the only one that would have looked at the
// queue: the method's result says so, and the caller looks again.
//
// mu is the mutex of the pool, because some steps change queues and workers at once.
type crew[T any] struct {
	_        stats.Pad
	ctl      ctl
	arriving arrivals
	_        [stats.Line - 16]byte
	surplus  atomic.Bool  // there are more workers than limit: a busy one asks retire after its task; changed under mu
	stopped  atomic.Bool  // idle workers must end; set under mu
	limit    atomic.Int64 // workers allowed now: max + comp
	_        [stats.Line - 16]byte

	live        func(*worker[T]) // what the goroutine of a new worker runs
	direct      bool             // NoQueue: workers begin, wake and end active
	idleTimeout time.Duration    // Config.IdleTimeout
	maxNested   int              // Config.MaxNested
	roll        roll[T]
	gone        chan struct{} // closed when the last worker has ended after a stop

	peak                 highWater // of the number of workers
	wakes, nestedRefused atomic.Uint64

	mu      *sync.Mutex
	idlers  idlers[T] // guarded by mu
	timer   *time.Timer
	armed   bool // guarded by mu; timer is running
	min     int  // guarded by mu; as configured
	keep    int  // guarded by mu; min, or what the monitor's Scale asks for
	max     int  // guarded by mu
	comp    int  // guarded by mu; workers whose tasks wait for the pool itself
	closing bool // guarded by mu; all workers will end: no timer, no Scale
}

// init sets up a crew without workers; the caller then calls grow.
func (c *crew[T]) init(cfg *Config, mu *sync.Mutex, live func(*worker[T])) {
	c.live, c.mu = live, mu
	c.direct = cfg.QueueSize == NoQueue
	c.idleTimeout, c.maxNested = cfg.IdleTimeout, cfg.MaxNested
	c.min, c.keep, c.max = cfg.MinWorkers, cfg.MinWorkers, cfg.MaxWorkers
	c.gone = make(chan struct{})
	c.limit.Store(int64(c.max))
}

// searched reports whether a worker looks at the queue right now: what was put into
// it will be found.
func (c *crew[T]) searched() bool { return c.ctl.load().token() == tokenSearch }

// active returns how many workers run a task or are about to take one.
func (c *crew[T]) active() int { return c.ctl.load().active() }

// idle returns how many workers sleep and can be reserved.
func (c *crew[T]) idle() int { return c.ctl.load().idle() }

// spare reports whether there are or may be workers without a task.
func (c *crew[T]) spare() bool {
	s := c.ctl.load()
	return !s.paused() && (s.active() < s.workers() || s.workers() < int(c.limit.Load()))
}

// between returns how many workers have no task and can be reserved by nobody: those
// that search, or are on their way to or from their sleep, and will look at the queue.
// It returns 0 for a paused pool.
func (c *crew[T]) between() int {
	s := c.ctl.load()
	if s.paused() {
		return 0
	}
	return s.workers() - s.active() - s.idle()
}

// mayTake reports whether an active worker may take another task: the pool is not
// paused, and there are not more workers than may be.
func (c *crew[T]) mayTake() bool {
	s := c.ctl.load()
	return !s.paused() && s.workers() <= int(c.limit.Load())
}

// wanted returns the state and the token with which one more worker should be called:
// tokenNone where none is needed or may be had, tokenTwo where one is on its way already
// and a second is worth it for a large backlog only.
func (c *crew[T]) wanted() (s, next ctlState) {
	switch s = c.ctl.load(); s.token() {
	case tokenNone:
		return s, tokenComing
	case tokenComing:
		if s.idle() > 0 || s.workers() < int(c.limit.Load()) {
			return s, tokenTwo
		}
	}
	return s, tokenNone
}

// called is what became of an attempt to call one more worker.
type called uint8

const (
	callNone    called = iota // none may be had
	callDone                  // one is on its way
	callRetry                 // the state has changed
	callRefused               // the limit has gone down meanwhile: the token is free again
)

// call wakes an idle worker, or starts a new one, and gives it the token next, if s is
// still the state.
func (c *crew[T]) call(s, next ctlState) called {
	switch {
	case s.paused():
		return callNone
	case s.idle() > 0:
		if !c.ctl.cas(s, (s - idleOne).withToken(next)) {
			return callRetry
		}
		c.mu.Lock()
		w := c.idlers.pop()
		c.mu.Unlock()
		c.wakes.Add(1)
		w.wake <- true
		return callDone
	case s.workers() < int(c.limit.Load()):
		if !c.ctl.cas(s, (s + workerOne).withToken(next)) {
			return callRetry
		}
		if !c.hire() {
			return callRefused
		}
		return callDone
	}
	return callNone
}

// hire starts the goroutine of a worker that is counted in ctl already. It returns
// false, and takes that one out of the count, if the limit has gone down since.
func (c *crew[T]) hire() bool {
	c.mu.Lock()
	if !c.direct && c.ctl.load().workers() > int(c.limit.Load()) {
		c.ctl.unspawn()
		c.settleSurplus()
		c.mu.Unlock()
		return false
	}
	w := c.enlist(&worker[T]{reserved: c.direct})
	c.mu.Unlock()
	c.start(w)
	return true
}

// enlist enters a new worker. The caller holds mu, so that a stop which sees it counted
// waits for it.
func (c *crew[T]) enlist(w *worker[T]) *worker[T] {
	w.wake = make(chan bool, 1)
	c.roll.add(w)
	return w
}

func (c *crew[T]) start(w *worker[T]) {
	go func() {
		c.arrive(w)
		c.peak.note(c.ctl.load().workers())
		c.live(w)
	}()
}

// arrive makes a woken or new worker active, unless it is so already.
func (c *crew[T]) arrive(w *worker[T]) {
	if w.reserved {
		w.reserved = false
		return
	}
	c.come(w)
	c.ctl.arrive()
}

// found makes a worker active that has found work while it searched.
func (c *crew[T]) found(w *worker[T]) {
	c.come(w)
	c.ctl.found()
}

// come notes, before w is active, that it has no task yet. got ends that.
func (c *crew[T]) come(w *worker[T]) {
	c.arriving.begin()
	w.arriving = true
}

// got notes that w has a task, or has left.
func (c *crew[T]) got(w *worker[T]) {
	if w.arriving {
		w.arriving = false
		c.arriving.end()
	}
}

// reservation is where a reserved worker comes from.
type reservation uint8

const (
	noWorker reservation = iota
	idleWorker
	newWorker
)

// reserve makes an idle worker active, or counts a new active one where the limit
// allows it. The caller holds mu and, if it got one, calls send or sendAny.
func (c *crew[T]) reserve() reservation {
	for {
		s := c.ctl.load()
		switch {
		case s.paused():
			return noWorker
		case s.idle() > 0:
			if c.ctl.cas(s, s-idleOne+activeOne) {
				return idleWorker
			}
		case s.workers() < int(c.limit.Load()):
			if c.ctl.cas(s, s+workerOne+activeOne) {
				return newWorker
			}
		default:
			return noWorker
		}
	}
}

// send wakes or starts the worker that reserve returned, with a task to run first if
// there is one, and releases mu.
func (c *crew[T]) send(how reservation, gift item[T], given bool) {
	if !given {
		c.arriving.begin()
	}
	if how == newWorker {
		w := c.enlist(&worker[T]{reserved: true, arriving: !given, gift: gift, given: given})
		c.mu.Unlock()
		c.start(w)
		return
	}
	w := c.idlers.pop()
	c.mu.Unlock()
	w.reserved, w.arriving, w.gift, w.given = true, !given, gift, given
	c.wakes.Add(1)
	w.wake <- true
}

// sendAny is send for a pool without a queue, where a worker finds its task in the
// spill: tasks and reserved workers are equal in number, so it does not matter which
// worker takes which task, nor whether the one that starts now was reserved as such.
func (c *crew[T]) sendAny() {
	if c.idlers.len() == 0 {
		c.mu.Unlock()
		c.hire()
		return
	}
	w := c.idlers.pop()
	c.mu.Unlock()
	c.wakes.Add(1)
	w.wake <- true
}

// pause keeps call and reserve from finding workers, or ends that. The caller holds mu.
func (c *crew[T]) pause(on bool) {
	if on {
		c.ctl.w.Or(uint64(pausedBit))
	} else {
		c.ctl.w.And(^uint64(pausedBit))
	}
}

// stats fills in what st says of workers. The caller holds mu.
func (c *crew[T]) stats(st *Stats) {
	s := c.ctl.load()
	c.peak.note(s.workers()) // a new worker's own note may come later
	st.Workers, st.Active = s.workers(), min(s.active(), s.workers())
	st.Idle = st.Workers - st.Active
	st.HighWater = int(c.peak.Load())
	st.MinWorkers, st.MaxWorkers = c.min, c.max
	st.Nested, st.MaxNested, st.NestedRefused = c.comp, c.maxNested, c.nestedRefused.Load()
	st.Wakes = c.wakes.Load()
	st.Utilization = stats.Ratio(uint64(st.Active), uint64(st.Workers))
}

// highWater is the highest number that was noted.
type highWater struct{ atomic.Uint64 }

func (h *highWater) note(n int) {
	for {
		p := h.Load()
		if uint64(n) <= p || h.CompareAndSwap(p, uint64(n)) {
			return
		}
	}
}

// arrivals counts, in its low half, the woken and new workers that are active or about to
// be, have no task yet and have not left. Its high half counts all that there ever were.
// A caller that reads the same high half twice, and zero in the low one, knows that no
// worker arrived in between.
type arrivals struct{ n atomic.Uint64 }

func (a *arrivals) begin() { a.n.Add(1<<32 + 1) }

func (a *arrivals) end() { a.n.Add(math.MaxUint64) }

// load returns what to compare with, and whether there is one now.
func (a *arrivals) load() (mark uint64, some bool) {
	mark = a.n.Load()
	return mark, uint32(mark) != 0
}
