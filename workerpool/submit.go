package workerpool

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// submit accepts v into level l as the policy says.
func (c *core[T]) submit(l *level[T], v T) error {
	if !c.desk.direct && (!c.desk.grows || c.desk.q.flags.Load()&someOutside == 0) {
		switch l.ring.put(v, 0, &c.clock, false) {
		case putOK:
			if !c.desk.crew.searched() { // as desk.published, which is too long to be inlined
				c.desk.notify()
			}
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
	case c.desk.direct:
		err = c.desk.submitDirect(l, v)
	case c.desk.grows:
		return c.desk.submitGrowing(l, v)
	default:
		switch err = c.desk.putRing(l, v); {
		case err != ErrFull:
		case overflow != Block:
			err = c.findRoom(l, v)
		case c.weed(l):
			// Who may wait lets the workers that there are make room. A worker for each
			// task that finds the ring full is far too many: 1.8 times the time and 2.7
			// times the memory in the comparison's case sleep/tasks=1000000, 1.4 times
			// the time in 1us/workers=2.
			err = c.desk.putRing(l, v)
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

// submitDropping accepts v in the place of the oldest value.
func (c *core[T]) submitDropping(l *level[T], v T) error {
	for tries := 0; ; tries++ {
		old, evicted, err := c.desk.replaceOldest(l, v)
		if err == ErrFull {
			awaitOthers(tries) // a task is between a ticket and its slot
			continue
		}
		if evicted {
			c.drop(old, ErrDropped)
		}
		return err
	}
}

// dropNew accepts v and drops it at once.
func (c *core[T]) dropNew(v T) error {
	c.desk.mu.Lock()
	if c.desk.closed {
		c.desk.mu.Unlock()
		return ErrClosed
	}
	c.desk.q.dropNew()
	c.desk.mu.Unlock()
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
	if !c.desk.direct && c.yielders.Add(1) <= maxYielders {
		for range maxYields {
			yield()
			if l.ring.free() < l.quarter {
				continue
			}
			if err := c.desk.putRing(l, v); err != ErrFull {
				c.yielders.Add(-1)
				return err
			}
		}
	}
	if !c.desk.direct {
		c.yielders.Add(-1)
		// A worker that sleeps is room, and to wake it costs less than to sleep beside it:
		// the comparison's case users/users=10000 takes a fifth of the time. Looking
		// before the yields would take 1.3 times the time in sleep/tasks=1000000.
		if c.desk.crew.idle() > 0 {
			if err := c.desk.tryRoom(l, v); err != ErrFull {
				return err
			}
		}
	}
	away, err := c.desk.stepAside()
	if err != nil {
		return err
	}
	defer away.back()

	s, err := c.desk.await(l, v)
	if s == nil {
		return err
	}
	select {
	case err = <-s.done:
	case <-ctx.Done():
		if c.desk.unwait(l, s) {
			err = ctxerr.From(ctx)
		} else { // accepted or refused at the same moment: that stands
			err = <-s.done
		}
	}
	c.desk.recycle(l, s)
	return err
}

// lastResort accepts v if a worker without a task is room for it, and refuses it else.
func (c *core[T]) lastResort(l *level[T], v T) error {
	err := ErrFull
	if !c.desk.direct { // else all workers have been looked at
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
