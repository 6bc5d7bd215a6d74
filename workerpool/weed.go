package workerpool

import "time"

// findRoom is desk.findRoom after a look whether the ring is full of tasks that will not
// run.
func (c *core[T]) findRoom(l *level[T], v T) error {
	if c.weed(l) {
		if err := c.desk.putRing(l, v); err != ErrFull {
			return err
		}
	}
	return c.desk.findRoom(l, v)
}

// weed takes tasks whose ctx has ended out of l's full ring and ends them; it reports
// whether there were any.
func (c *core[T]) weed(l *level[T]) bool {
	if c.alert.Load()&alertCtx == 0 {
		return false
	}
	c.desk.mu.Lock()
	start := c.clock.now()
	if !c.weeding.allows(start) {
		c.desk.mu.Unlock()
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
	c.desk.mu.Unlock()
	for _, v := range dead {
		c.kind.bury(v)
	}
	if c.desk.q.flags.Load()&someOutside != 0 {
		c.desk.refill(l) // the free places belong to the values that wait
	}
	if c.desk.q.ready() {
		c.desk.notify() // a worker that found the ring held may have gone to sleep
	}
	if len(dead) > 0 {
		c.lookQuiet()
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
