package workerpool

// resize changes how many workers there are at least and at most. The caller holds mu;
// it then releases mu and calls settle.
func (c *crew[T]) resize(minWorkers, maxWorkers int) {
	c.min, c.keep, c.max = minWorkers, minWorkers, maxWorkers
	c.setLimit()
	c.armIfSurplus()
}

// settle makes the number of workers follow a resize: it ends idle ones above the
// limit, and starts those that are missing.
func (c *crew[T]) settle(minWorkers int) {
	if c.surplus.Load() {
		c.reap()
	}
	c.grow(minWorkers)
}

// scaleTo makes n, within the configured bounds, the number of workers kept.
func (c *crew[T]) scaleTo(n int) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.keep = min(max(n, c.min), c.max)
	n = c.keep
	c.armIfSurplus()
	c.mu.Unlock()
	c.grow(n)
}

// grow starts workers until there are n, or as many as may be.
func (c *crew[T]) grow(n int) {
	for w := c.addOne(n); w != nil; w = c.addOne(n) {
		c.start(w)
	}
}

// addOne counts and enlists one more worker, to be started, if there are fewer than n.
// Without a queue it is asleep from the start: a submission may reserve it at once.
func (c *crew[T]) addOne(n int) *worker[T] {
	c.mu.Lock() // keeps the limit, and a worker counted before a stop is waited for
	defer c.mu.Unlock()
	if c.stopped.Load() {
		return nil
	}
	n = min(n, int(c.limit.Load()))
	for {
		s := c.ctl.load()
		if s.workers() >= n {
			return nil
		}
		next := s + workerOne
		if c.direct {
			next += idleOne
		}
		if !c.ctl.cas(s, next) {
			continue
		}
		w := c.enlist(&worker[T]{reserved: c.direct, asleep: c.direct})
		if c.direct {
			c.idlers.push(w)
		}
		return w
	}
}

// compensate allows one more worker, because the task of one waits for the pool itself.
func (c *crew[T]) compensate() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.comp >= c.maxNested {
		c.nestedRefused.Add(1)
		return ErrNested
	}
	c.comp++
	c.setLimit()
	return nil
}

// uncompensate ends that.
func (c *crew[T]) uncompensate() {
	c.mu.Lock()
	c.comp--
	c.setLimit()
	c.mu.Unlock()
	if c.surplus.Load() {
		c.reap()
	}
}

// setLimit follows a change of max or comp. The caller holds mu.
func (c *crew[T]) setLimit() {
	c.limit.Store(int64(min(c.max+c.comp, workerCap)))
	c.settleSurplus()
}

// settleSurplus keeps surplus right. The caller holds mu.
func (c *crew[T]) settleSurplus() {
	c.surplus.Store(c.ctl.load().workers() > int(c.limit.Load()))
}
