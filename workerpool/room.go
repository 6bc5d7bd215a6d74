package workerpool

import "time"

// findRoom accepts v into level l although its ring is full, or returns ErrFull: the
// ring may be full of tasks that will not run, and workers without a task are room. Where
// a worker is at the queue that has no task yet, or has it just now, it waits for that.
func (c *core[T]) findRoom(l *level[T], v T) error {
	if c.weed(l) {
		if err := c.putRing(l, v); err != ErrFull {
			return err
		}
	}
	for tries := 0; ; tries++ {
		before, _ := l.ring.counts()
		came, _ := c.arriving.load()
		if err := c.tryRoom(l, v); err != ErrFull || tries == arrivalYields+arrivalSleeps {
			return err
		}
		now, _ := l.ring.counts()
		if mark, some := c.arriving.load(); now == before && mark == came && !some {
			return ErrFull
		}
		// A worker is active but has taken its task just now, or is about to.
		if tries < arrivalYields {
			yield()
		} else { // it has lost its core: yields go by in less time than that takes
			time.Sleep(arrivalSleep)
		}
	}
}

// These bound how long a submission waits for workers that have come to the queue: a
// millisecond or so, or ten where other processes have the cores.
const (
	arrivalYields = 1000
	arrivalSleeps = 100
	arrivalSleep  = 100 * time.Microsecond
)

// tryRoom is one look for room beyond what the ring has.
func (c *core[T]) tryRoom(l *level[T], v T) error {
	if !c.hasSpare() {
		return c.putRing(l, v)
	}
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return ErrClosed
	case l.waiters.len() > l.waiters.accepted: // submitters wait: it is their turn
		c.mu.Unlock()
		return ErrFull
	case l.waiters.len() == 0 && l.ring.put(v, 0, &c.clock, true) == putOK:
		c.mu.Unlock()
		c.published()
		return nil
	}
	how := c.reserve()
	if how == noWorker {
		return c.owe(l, v)
	}
	// The worker gets the oldest task, v the place of the last.
	gift, given := l.ring.evict()
	if l.waiters.len() > 0 {
		_, _ = c.q.fill(l, make([]*waiter[T], 1)) // there is no submitter to be told
	}
	accepted := l.waiters.len() == 0 && l.ring.put(v, 0, &c.clock, true) == putOK
	if !accepted {
		c.q.awaitFirst(l, item[T]{v, c.clock.sample(uint64(c.q.outside))})
	}
	c.wakeReserved(how, gift, given)
	c.published()
	return nil
}

// hasSpare reports whether there are or may be workers without a task.
func (c *core[T]) hasSpare() bool {
	s := c.ctl.load()
	return !s.paused() && (s.active() < s.workers() || s.workers() < int(c.limit.Load()))
}

// owe accepts v where fewer values wait for them than there are workers that have no
// task and are reserved by nobody: those that search, or are on their way to or
// from their sleep, and will look at the queue. It releases mu, which the caller
// holds.
func (c *core[T]) owe(l *level[T], v T) error {
	s := c.ctl.load()
	if s.paused() || s.workers()-s.active()-s.idle() <= c.q.outside+c.q.nested.len {
		c.mu.Unlock()
		return ErrFull
	}
	c.q.awaitFirst(l, item[T]{v, c.clock.sample(uint64(c.q.outside))})
	c.mu.Unlock()
	if l.ring.free() >= l.quarter {
		c.refill(l) // see overflow
	}
	c.published()
	return nil
}

// weed takes tasks whose ctx has ended out of l's full ring and ends them; it reports
// whether there were any.
func (c *core[T]) weed(l *level[T]) bool {
	if c.alert.Load()&alertCtx == 0 {
		return false
	}
	c.mu.Lock()
	start := c.clock.now()
	if !c.weeding.allows(start) {
		c.mu.Unlock()
		return false
	}
	dead := l.ring.weed(func(v T) bool {
		how, over := c.kind.over(v)
		if over {
			c.books.end(how) // before it counts as started: see stats
		}
		return over
	})
	c.weeding.spend(c.clock.now() - start)
	c.mu.Unlock()
	for _, v := range dead {
		c.kind.bury(v)
	}
	if c.q.flags.Load()&someOutside != 0 {
		c.refill(l) // the free places belong to the values that wait
	}
	if c.q.ready() {
		c.notify() // a worker that found the ring held may have gone to sleep
	}
	if len(dead) > 0 && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
	return len(dead) > 0
}

// budget keeps something that takes long from being done all the time: to one
// sixteenth of the time, after what has been saved up.
type budget struct {
	credit int64 // ns
	last   int64
}

const (
	budgetShare = 16
	budgetMax   = int64(10 * time.Millisecond)
)

func newBudget() budget { return budget{credit: budgetMax} }

// allows reports whether it may be done at the time now.
func (b *budget) allows(now int64) bool {
	b.credit = min(b.credit+(now-b.last)/budgetShare, budgetMax)
	b.last = now
	return b.credit > 0
}

// spend books how long it took.
func (b *budget) spend(d int64) { b.credit -= d }
