package workerpool

import (
	"context"
	"math"
	"slices"
)

// quietWaiter is one call that waits for the pool to have nothing active and,
// unless it is a Pause, nothing queued.
type quietWaiter struct {
	done  chan struct{}
	pause bool
}

// quiet reports whether w's condition holds. The queue is read first: a worker
// is active before it takes a task, so one that left the queue is seen there. The
// caller holds mu.
func (c *core[T]) quiet(w *quietWaiter) bool {
	if !w.pause {
		if c.held.Load() > 0 {
			return false
		}
		for i := range c.levels {
			l := &c.levels[i]
			if taken, put := l.ring.counts(); taken != put || l.spill.len+l.forced.len > 0 {
				return false
			}
		}
	}
	return c.ctl.load().active() == 0
}

// release ends the count of a view's task in held, once it is in the queue or
// dropped.
func (c *core[T]) release() {
	if c.held.Add(-1) == 0 && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
}

// checkQuiet wakes those whose condition holds now.
func (c *core[T]) checkQuiet() {
	c.mu.Lock()
	c.quiets = slices.DeleteFunc(c.quiets, func(w *quietWaiter) bool {
		if !c.quiet(w) {
			return false
		}
		close(w.done)
		return true
	})
	if len(c.quiets) == 0 {
		c.alert.And(math.MaxUint32 &^ alertQuiet)
	}
	c.mu.Unlock()
}

// waitQuiet waits until the pool is quiet or ctx ends.
func (c *core[T]) waitQuiet(ctx context.Context, pause bool) error {
	w := &quietWaiter{done: make(chan struct{}), pause: pause}
	c.mu.Lock()
	c.quiets = append(c.quiets, w)
	c.alert.Or(alertQuiet)
	c.mu.Unlock()
	c.checkQuiet() // a worker that became idle before it could see alertQuiet did not
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.quiets, w)
	if i < 0 {
		return nil // became quiet at the same moment
	}
	c.quiets = slices.Delete(c.quiets, i, i+1)
	if len(c.quiets) == 0 {
		c.alert.And(math.MaxUint32 &^ alertQuiet)
	}
	return ctx.Err()
}

func (c *core[T]) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.self() != nil {
		return ErrInTask
	}
	return c.waitQuiet(ctx, false)
}

func (c *core[T]) pause(ctx context.Context) error {
	if c.self() != nil {
		return ErrInTask
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.setPaused(true)
	c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.waitQuiet(ctx, true)
}

func (c *core[T]) resume() {
	c.mu.Lock()
	if c.paused && !c.closed {
		c.setPaused(false)
	}
	c.mu.Unlock()
	c.kick()
}

// setPaused holds or releases every queue. The caller holds mu.
func (c *core[T]) setPaused(on bool) {
	c.paused = on
	for i := range c.levels {
		if on {
			c.levels[i].ring.hold()
		} else {
			c.levels[i].ring.unhold()
		}
	}
	if on {
		c.ctl.w.Or(uint64(pausedBit))
	} else {
		c.ctl.w.And(^uint64(pausedBit))
	}
}

// kick looks for work that may be started now but was not when it came.
func (c *core[T]) kick() {
	if c.direct {
		c.matchBlocked()
	} else if c.ready() {
		c.notify()
	}
}

func (c *core[T]) resize(minWorkers, maxWorkers int) error {
	if err := checkWorkers(minWorkers, maxWorkers); err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.min, c.keep, c.max = minWorkers, minWorkers, maxWorkers
	c.setLimit()
	c.armIfSurplus()
	c.mu.Unlock()
	if c.alert.Load()&alertSurplus != 0 {
		c.reap()
	}
	c.growTo(minWorkers)
	c.kick()
	return nil
}

// growTo starts workers until there are n.
func (c *core[T]) growTo(n int) {
	for {
		s := c.ctl.load()
		if s.workers() >= n || s.workers() >= int(c.limit.Load()) {
			return
		}
		next := s + workerOne
		if c.direct {
			next += activeOne // workers without a queue begin active
		}
		c.mu.Lock() // a worker counted before alertStop is waited for by Close
		ok := c.alert.Load()&alertStop == 0 && c.ctl.cas(s, next)
		stopped := c.alert.Load()&alertStop != 0
		c.mu.Unlock()
		if ok {
			c.spawn()
		} else if stopped {
			return
		}
	}
}

// compensate allows one more worker while one of the pool's workers waits for the
// pool itself.
func (c *core[T]) compensate() { c.changeComp(1) }

func (c *core[T]) uncompensate() { c.changeComp(-1) }

// setLimit follows a change of max or comp. The caller holds mu.
func (c *core[T]) setLimit() {
	c.limit.Store(int64(min(c.max+c.comp, workerCap)))
	c.settleSurplus()
}

func (c *core[T]) changeComp(d int) {
	c.mu.Lock()
	c.comp += d
	c.setLimit()
	c.mu.Unlock()
	if d > 0 {
		c.kick()
	} else if c.alert.Load()&alertSurplus != 0 {
		c.reap()
	}
}

// refuse makes every later submission fail with ErrClosed and reports whether this
// call was the first to do so. Blocked submitters fail too: their tasks were not
// accepted.
func (c *core[T]) refuse() bool {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.alert.Or(alertClosed)
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
	c.kick()
	return first
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
	n := 0
	for i := range c.levels {
		n += c.discardAll(&c.levels[i])
	}
	for _, cancel := range c.cancels() {
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

// discardAll drops everything queued at l and returns how much it was.
func (c *core[T]) discardAll(l *level[T]) (n int) {
	for {
		if v, ok := c.evict(l); ok {
			c.drop(v, ErrClosed)
			n++
			continue
		}
		c.mu.Lock()
		var it item[T]
		switch {
		case l.forced.len > 0:
			it = l.forced.pop()
			c.books.handed.Add(1)
		case !c.direct && l.spill.len > 0: // without a queue its values have workers
			it = l.spill.pop()
			c.books.spilled.Add(1)
		default:
			c.mu.Unlock()
			return n
		}
		c.setWaiting(-1)
		c.books.discarded.Add(1)
		c.mu.Unlock()
		c.drop(it.val, ErrClosed)
		n++
	}
}
