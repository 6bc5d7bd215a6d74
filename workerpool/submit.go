package workerpool

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// submit accepts v into level l as the policy says.
func (c *core[T]) submit(l *level[T], v T) error {
	if !c.direct && (!c.grows || c.q.flags.Load()&someOutside == 0) {
		switch l.ring.put(v, 0, &c.clock, false) {
		case putOK:
			c.published()
			return nil
		case putClosed:
			return ErrClosed
		}
	}
	return c.submitSlow(context.Background(), l, v, c.cfg.Overflow)
}

// trySubmit accepts v into level l if there is room.
func (c *core[T]) trySubmit(l *level[T], v T) error {
	return c.submitSlow(context.Background(), l, v, Reject)
}

// submitWait accepts v into level l, waiting for room as long as ctx allows.
func (c *core[T]) submitWait(ctx context.Context, l *level[T], v T) error {
	if err := ctxEnd(ctx); err != nil {
		return err
	}
	return c.submitSlow(ctx, l, v, Block)
}

// submitSlow is submit with every case in it.
func (c *core[T]) submitSlow(ctx context.Context, l *level[T], v T, overflow Overflow) error {
	var err error
	switch {
	case c.direct:
		err = c.submitDirect(l, v)
	case c.grows:
		return c.submitGrowing(l, v)
	default:
		switch err = c.putRing(l, v); {
		case err != ErrFull:
		case overflow != Block:
			err = c.findRoom(l, v)
		case c.weed(l): // a wait is no reason to start a worker: see submitBlocked
			err = c.putRing(l, v)
		}
	}
	if err != ErrFull {
		return err
	}
	switch overflow {
	case CallerRuns:
		c.callerRun(v)
		return nil
	case DropOldest:
		return c.submitDropping(l, v)
	case DropNewest:
		return c.dropNew(v)
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
	c.overflow(l, v)
	return nil
}

// overflow accepts v outside of l's ring and releases mu, which the caller holds.
func (c *core[T]) overflow(l *level[T], v T) {
	it := item[T]{v, c.clock.sample(uint64(c.q.outside))}
	if c.grows {
		l.spill.push(it)
		c.q.setOutside(1)
	} else {
		c.q.awaitAccepted(l, it)
	}
	c.mu.Unlock()
	// A worker that emptied the ring before it could see someOutside has not
	// refilled it.
	if l.ring.free() >= l.quarter {
		c.refill(l)
	}
}

// force accepts v even where the pool is full or closed, for work that was
// accepted already in another place. It does not after an expired Shutdown: false.
func (c *core[T]) force(l *level[T], v T) bool {
	c.mu.Lock()
	switch {
	case c.alert.Load()&alertExpired != 0:
		c.mu.Unlock()
		return false
	case !c.direct:
		c.overflow(l, v)
	case c.crew.reserve() != noWorker:
		_ = c.handOver(l, c.q.pass(v))
	default: // the next worker that ends its task finds it
		c.q.awaitAccepted(l, item[T]{val: v})
		c.mu.Unlock()
	}
	return true
}

// evict takes the oldest value out of l's ring and books it as dropped. The
// caller holds mu, so that stats sees neither without the other.
func (c *core[T]) evict(l *level[T]) (v T, ok bool) {
	it, ok := l.ring.evict()
	if ok {
		c.books.dropped.Add(1)
	}
	return it.val, ok
}

// submitDropping makes room by taking the oldest value out. The new one takes
// its place under mu, so that a closing pool is neither emptied nor made to lose a
// task for one that it refuses, and what follows a view's dropped task does not
// take the place instead.
func (c *core[T]) submitDropping(l *level[T], v T) error {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return ErrClosed
		}
		var told [16]*waiter[T]
		n, _ := c.q.fill(l, told[:]) // a place that is free by itself is theirs
		var old T
		evicted := false
		put := putFull
		if n < len(told) {
			if put = l.ring.put(v, 0, &c.clock, true); put != putOK {
				if old, evicted = c.evict(l); evicted {
					put = l.ring.put(v, 0, &c.clock, true)
				}
			}
		}
		c.mu.Unlock()
		for _, s := range told[:n] {
			s.done <- nil
		}
		if put == putOK {
			c.published()
		}
		if evicted {
			c.drop(old, ErrDropped)
		}
		if put == putOK {
			return nil
		}
		yield() // a task is between a ticket and its slot, or another took the place
	}
}

// dropNew accepts v and drops it at once.
func (c *core[T]) dropNew(v T) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.books.dropped.Add(1)
	c.q.noTicket.Add(1)
	c.mu.Unlock()
	c.drop(v, ErrDropped)
	return nil
}

// A submitter at a full queue yields a while before it sleeps, for as long as
// there are few such: a sleep and a wake-up cost far more than the queue takes to
// drain (the comparison's case users/users=100).
const (
	maxYields   = 32
	maxYielders = 64
)

// submitBlocked waits until there is room for v, unless too many do so already. If
// the caller is one of this pool's own tasks, the pool may run one more worker
// meanwhile.
func (c *core[T]) submitBlocked(ctx context.Context, l *level[T], v T) error {
	if !c.mayWait() {
		return c.lastResort(l, v)
	}
	defer c.waiting.Add(-1)
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
		// Only now: the workers that there are have had their time to make room. A
		// worker for each task that finds the ring full is far too many (the comparison's
		// case sleep/tasks=1000000: 1.8 times the time, 2.7 times the memory).
		if err := c.findRoom(l, v); err != ErrFull {
			return err
		}
	}
	away, err := c.stepAside()
	if err != nil {
		return err
	}
	defer away.back()

	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if c.direct && l.waiters.len() == 0 && c.crew.reserve() != noWorker {
		return c.handOver(l, c.q.pass(v))
	}
	s := c.q.await(l, v)
	c.mu.Unlock()
	if c.direct {
		c.matchBlocked() // a worker may have gone idle before it could see s
	} else if l.ring.free() >= l.quarter {
		c.refill(l) // see overflow
	}

	select {
	case err = <-s.done:
		c.mu.Lock()
	case <-ctx.Done():
		c.mu.Lock()
		if s.queued() {
			c.q.unwait(l, s)
			err = ctxerr.From(ctx)
		} else { // accepted or refused at the same moment: that stands
			c.mu.Unlock()
			err = <-s.done
			c.mu.Lock()
		}
	}
	l.waiters.recycle(s)
	c.mu.Unlock()
	return err
}

// lastResort accepts v if a worker without a task is room for it, and refuses it else.
func (c *core[T]) lastResort(l *level[T], v T) error {
	err := ErrFull
	if !c.direct { // else all workers have been looked at
		err = c.findRoom(l, v)
	}
	if err == ErrFull {
		c.books.rejected.Add(1)
	}
	return err
}

// mayWait counts the caller as one that waits for room, unless as many do as may.
func (c *core[T]) mayWait() bool {
	if n := c.waiting.Add(1); c.cfg.MaxWaiters > 0 && n > int64(c.cfg.MaxWaiters) {
		c.waiting.Add(-1)
		return false
	}
	c.books.waits.Add(1)
	return true
}
