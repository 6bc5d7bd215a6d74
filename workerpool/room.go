package workerpool

import "time"

// findRoom accepts v into level l although its ring is full, or returns ErrFull: the
// ring may be full of tasks that will not run, and workers without a task are room.
func (c *core[T]) findRoom(l *level[T], v T) error {
	if c.weed(l) {
		if err := c.putRing(l, v); err != ErrFull {
			return err
		}
	}
	for tries := 0; ; tries++ {
		before, _ := l.ring.counts()
		if err := c.tryRoom(l, v); err != ErrFull || tries == maxArrivals {
			return err
		}
		if now, _ := l.ring.counts(); now == before && c.crew.arriving.Load() == 0 {
			return ErrFull
		}
		yield() // a worker is active but has taken its task just now, or is about to
	}
}

// tryRoom is one look for room beyond what the ring has.
func (c *core[T]) tryRoom(l *level[T], v T) error {
	if !c.crew.spare() {
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
	how := c.crew.reserve()
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
	c.crew.send(how, gift, given)
	c.published()
	return nil
}

// maxArrivals bounds how often a submission yields to a worker that has arrived at
// the queue but may have lost its core there.
const maxArrivals = 1000

// owe accepts v where fewer values wait for them than there are workers that have no
// task and are reserved by nobody: those that search, or are on their way to or
// from their sleep, and will look at the queue. It releases mu, which the caller
// holds.
func (c *core[T]) owe(l *level[T], v T) error {
	if c.crew.between() <= c.q.outside+c.q.nested.len {
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
