package workerpool

import (
	"context"
	"maps"
	"slices"
)

// refuse makes every later submission fail with ErrClosed. Blocked submitters fail
// too: their tasks were not accepted.
func (c *core[T]) refuse() {
	c.mu.Lock()
	c.closed = true
	c.alert.Or(alertClosed)
	views := slices.Collect(maps.Keys(c.views))
	var refused []*submitter[T]
	for i := range c.levels {
		l := &c.levels[i]
		l.ring.close()
		for l.blocked.len > 0 {
			s := l.blocked.head
			l.blocked.remove(s)
			c.setWaiting(-1)
			refused = append(refused, s)
		}
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.paused {
		c.setPaused(false)
	}
	c.mu.Unlock()
	for _, s := range refused {
		s.done <- ErrClosed
	}
	for _, v := range views {
		v.refuse()
	}
	c.kick()
}

// askStop makes the workers of a closed and quiet pool end; gone tells when they
// have.
func (c *core[T]) askStop() {
	c.mu.Lock()
	c.alert.Or(alertStop)
	c.ctl.w.Or(uint64(pausedBit)) // a late notify starts no worker
	c.closeGone()
	c.mu.Unlock()
	c.reap()
}

// closeGone closes gone once a stopped pool has no worker left. The caller holds mu.
func (c *core[T]) closeGone() {
	if c.all != nil || c.alert.Load()&alertStop == 0 || c.ctl.load().workers() > 0 {
		return
	}
	select {
	case <-c.gone:
	default:
		close(c.gone)
	}
}

func (c *core[T]) close() error {
	if c.self() != nil {
		c.refuse()
		return ErrInTask
	}
	return c.shutdown(context.Background())
}

// shutdown refuses new tasks, runs the accepted ones, ends the workers and waits
// for all of it, or until ctx ends: then it discards what is queued and cancels
// what runs.
func (c *core[T]) shutdown(ctx context.Context) error {
	if c.self() != nil {
		c.refuse()
		return ErrInTask
	}
	c.refuse()
	c.monitor.stop(ctx.Done())
	if err := c.waitQuiet(ctx, false); err != nil {
		return c.abandon(context.Cause(ctx))
	}
	c.askStop()
	<-c.gone
	return nil
}

// abandon ends a shutdown whose ctx has ended.
func (c *core[T]) abandon(cause error) error {
	views, cancels := c.expire()
	n := 0
	for _, v := range views {
		n += v.discard()
	}
	for i := range c.levels {
		n += c.discardAll(&c.levels[i])
	}
	for _, cancel := range cancels {
		cancel(ErrClosed)
	}
	running := c.ctl.load().active()
	go func() { // ends with the last running task
		_ = c.waitQuiet(context.Background(), false)
		c.askStop()
	}()
	c.checkQuiet()
	return &ShutdownError{Discarded: n, Running: running, Cause: cause}
}

// expire keeps tasks from passing from views into the pool, and tasks with a ctx
// that start from now on from going on with it. It returns the views that have
// tasks of their own and the cancel functions of the running tasks.
func (c *core[T]) expire() (views []annex, cancels []func(error)) {
	c.mu.Lock()
	c.alert.Or(alertExpired)
	views = slices.Collect(maps.Keys(c.views))
	var rs []*running
	for w := c.all; w != nil; w = w.next {
		if r := w.now.Load(); r != nil {
			rs = append(rs, r)
		}
	}
	c.mu.Unlock()
	for _, r := range rs {
		r.mu.Lock()
		if r.cancel != nil {
			cancels = append(cancels, r.cancel)
		}
		r.mu.Unlock()
	}
	return views, cancels
}

// discardAll drops everything queued at l and returns how much it was.
func (c *core[T]) discardAll(l *level[T]) (n int) {
	for {
		c.mu.Lock() // over both places: a value moves from one to the other under mu
		v, ok := c.evict(l)
		if !ok {
			v, ok = c.evictSpill(l)
		}
		taken, put := l.ring.counts()
		c.mu.Unlock()
		switch {
		case ok:
			c.drop(v, ErrClosed)
			n++
		case taken == put:
			return n
		default:
			yield() // a task is between a ticket and its slot
		}
	}
}

// evictSpill is evict for l's values that are not in the ring.
func (c *core[T]) evictSpill(l *level[T]) (v T, ok bool) {
	switch {
	case l.forced.len > 0:
		v = l.forced.pop().val
		c.books.handed.Add(1)
	case !c.direct && l.spill.len > 0: // without a queue its values have workers
		v = l.spill.pop().val
		c.books.spilled.Add(1)
	default:
		return v, false
	}
	c.setWaiting(-1)
	c.books.discarded.Add(1)
	return v, true
}

// annex is a view's own queue as the pool sees it.
type annex interface {
	refuse()      // tells its blocked submitters ErrClosed
	discard() int // drops its tasks with ErrClosed
}

// list keeps v in mind for Close and Shutdown; it returns false after those began.
func (c *core[T]) list(v annex) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.views == nil {
		c.views = map[annex]struct{}{}
	}
	c.views[v] = struct{}{}
	return true
}

func (c *core[T]) unlist(v annex) {
	c.mu.Lock()
	delete(c.views, v)
	c.mu.Unlock()
}
