package workerpool

import "context"

// submit accepts v into level l as the policy says.
func (c *core[T]) submit(l *level[T], v T) error {
	if !c.direct && (!c.grows || c.alert.Load()&alertWaiting == 0) {
		switch l.ring.put(v, 0, &c.clock, false) {
		case putOK:
			c.published()
			return nil
		case putClosed:
			return ErrClosed
		}
	}
	return c.submitSlow(context.Background(), l, v, c.cfg.OnFull)
}

// trySubmit accepts v into level l if there is room.
func (c *core[T]) trySubmit(l *level[T], v T) error {
	return c.submitSlow(context.Background(), l, v, Reject)
}

// submitWait accepts v into level l, waiting for room as long as ctx allows.
func (c *core[T]) submitWait(ctx context.Context, l *level[T], v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.submitSlow(ctx, l, v, Block)
}

// submitSlow is submit with every case in it.
func (c *core[T]) submitSlow(ctx context.Context, l *level[T], v T, onFull Policy) error {
	var err error
	switch {
	case c.direct:
		err = c.submitDirect(l, v)
	case c.grows:
		return c.submitGrowing(l, v)
	default:
		err = c.putRing(l, v)
	}
	if err != ErrFull {
		return err
	}
	switch onFull {
	case CallerRuns:
		c.callerRun(v)
		return nil
	case DiscardOldest:
		return c.submitDiscarding(l, v)
	case Block:
		return c.submitBlocked(ctx, l, v)
	}
	c.books.rejected.Add(1)
	return ErrFull
}

func (c *core[T]) putRing(l *level[T], v T) error {
	switch l.ring.put(v, 0, &c.clock, false) {
	case putOK:
		c.published()
		return nil
	case putClosed:
		return ErrClosed
	}
	return ErrFull
}

// submitGrowing appends to the spill as long as that is not empty, which keeps
// the order, and to the ring otherwise.
func (c *core[T]) submitGrowing(l *level[T], v T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if l.spill.len == 0 {
		if err := l.ring.put(v, 0, &c.clock, false); err == putOK {
			c.mu.Unlock()
			c.published()
			return nil
		}
	}
	c.spillOver(l, v)
	return nil
}

// spillOver appends v to l's spill and releases mu, which the caller holds.
func (c *core[T]) spillOver(l *level[T], v T) {
	l.spill.push(item[T]{v, c.clock.sample(uint64(l.spill.len))})
	c.setWaiting(1)
	c.mu.Unlock()
	// A worker that emptied the ring before it could see alertWaiting has not
	// refilled it.
	if l.ring.free() >= l.quarter {
		c.refill(l)
	}
}

// force accepts v even where the pool is full or closed, for work that was
// accepted before and is counted in held; only an expired Shutdown makes it return
// false.
func (c *core[T]) force(l *level[T], v T) bool {
	c.mu.Lock()
	switch {
	case c.alert.Load()&alertExpired != 0:
		c.mu.Unlock()
		return false
	case c.direct && c.reserve():
		_ = c.handOver(l, v)
	case c.direct: // the next worker that ends its task finds it
		l.forced.push(item[T]{val: v})
		c.setWaiting(1)
		c.mu.Unlock()
	default:
		c.spillOver(l, v)
	}
	return true
}

// evict takes the oldest value out of l's ring and books it as discarded. The
// caller holds mu, so that stats sees neither without the other.
func (c *core[T]) evict(l *level[T]) (v T, ok bool) {
	if v, ok = l.ring.evict(); ok {
		c.books.discarded.Add(1)
	}
	return v, ok
}

// submitDiscarding makes room by taking the oldest value out. The new one takes
// its place under mu, so that a closing pool is neither emptied nor made to lose a
// task for one that it refuses, and what follows a view's discarded task does not
// take the place instead.
func (c *core[T]) submitDiscarding(l *level[T], v T) error {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return ErrClosed
		}
		var old T
		evicted := false
		put := l.ring.put(v, 0, &c.clock, false)
		if put != putOK {
			if old, evicted = c.evict(l); evicted {
				put = l.ring.put(v, 0, &c.clock, false)
			}
		}
		c.mu.Unlock()
		if evicted {
			c.drop(old, ErrDiscarded)
		}
		if put == putOK {
			c.published()
			return nil
		}
		yield() // a task is between a ticket and its slot, or another took the place
	}
}

// A submitter at a full queue yields a while before it sleeps, for as long as
// there are few such: a sleep and a wake-up cost far more than the queue takes to
// drain (the comparison's case users/users=100).
const (
	maxYields   = 32
	maxYielders = 64
)

// submitBlocked waits until there is room for v. If the caller is one of this
// pool's own tasks, the pool may run one more worker meanwhile.
func (c *core[T]) submitBlocked(ctx context.Context, l *level[T], v T) error {
	c.books.blocked.Add(1)
	if !c.direct && c.yielders.Add(1) <= maxYielders {
		for range maxYields {
			yield()
			if l.ring.free() < l.quarter {
				continue
			}
			if err := c.putRing(l, v); err != ErrFull {
				c.yielders.Add(-1)
				return err
			}
		}
	}
	if !c.direct {
		c.yielders.Add(-1)
	}
	defer c.stepAside()()

	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if c.direct && c.reserve() {
		return c.handOver(l, v)
	}
	s := l.blocked.push(v)
	c.setWaiting(1)
	c.mu.Unlock()
	if !c.direct && l.ring.free() >= l.quarter {
		c.refill(l) // see spillOver
	}

	var err error
	select {
	case err = <-s.done:
		c.mu.Lock()
	case <-ctx.Done():
		c.mu.Lock()
		if s.queued {
			l.blocked.remove(s)
			c.setWaiting(-1)
			err = ctx.Err()
		} else { // accepted or refused at the same moment: that stands
			c.mu.Unlock()
			err = <-s.done
			c.mu.Lock()
		}
	}
	l.blocked.recycle(s)
	c.mu.Unlock()
	return err
}
