package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// noWait and forever are the special timeouts of a send.
const (
	forever = time.Duration(-1)
	noWait  = time.Duration(-2)
)

// send is the way of one item into the core.
func (c *core[T]) send(ctx context.Context, item T, d time.Duration) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	size := 0
	if c.cfg.SizeOf != nil {
		var err error
		if size, err = c.sizeOf(item); err != nil {
			return err
		}
	}
	c.mu.lock()
	return c.sendSlow(ctx, item, size, d)
}

func (c *core[T]) sizeOf(item T) (int, error) {
	size := max(c.cfg.SizeOf(item), 0)
	if c.cfg.MaxBytes > 0 && size > c.cfg.MaxBytes || c.cfg.MaxPendingBytes > 0 && size > c.cfg.MaxPendingBytes {
		c.mu.lock()
		c.n.rejected++
		c.mu.unlock()
		return 0, ErrTooLarge
	}
	return size, nil
}

// sendSlow is entered with mu held and returns without.
func (c *core[T]) sendSlow(ctx context.Context, item T, size int, d time.Duration) error {
	var e effects[T]
	return c.sendSlowWith(ctx, item, size, d, &e)
}

func (c *core[T]) sendSlowWith(ctx context.Context, item T, size int, d time.Duration, e *effects[T]) error {
	var deadline time.Duration // of a sender that runs batches
	for {
		if c.closing {
			return c.rejectLocked(ErrClosed, e)
		}
		if !c.waiters.any() {
			if c.fitsLocked(1, size) {
				c.addLocked(item, size, c.stampLocked(), e)
				e.since = c.backlog.at
				c.unlock(e)
				return nil
			}
			if c.reserved > 0 { // what lanes have set aside and not used
				c.collectLocked(e)
				continue
			}
			if c.settleLocked(e) {
				continue
			}
		}
		// Full: whatever is open is due, or it might wait for a size that it
		// cannot reach.
		if !c.backlog.anyReady() && c.backlog.filling() > 0 && !c.pressed {
			c.pressed = true
			c.crew.wake(&e.wakeUps)
		}
		switch c.cfg.Overflow {
		case DropNewest:
			c.n.direct++
			c.n.droppedNew++
			c.unlock(e)
			c.drop(item, DroppedNewest)
			return nil
		case DropOldest:
			one := [1]T{c.dropOldestLocked(e)}
			old := one[:]
			for !c.fitsLocked(1, size) { // only where bytes are the bound
				old = append(old, c.dropOldestLocked(e))
			}
			c.addLocked(item, size, c.stampLocked(), e)
			c.unlock(e)
			c.dropEach(old, DroppedOldest)
			return nil
		case CallerRuns:
			if d == noWait || c.inside(ctx) {
				return c.rejectLocked(ErrFull, e)
			}
			if d >= 0 && deadline == 0 {
				deadline = c.now() + d
			}
			if err := c.callerRunsLocked(ctx, size, deadline, e); err != nil {
				return err
			}
			continue
		case Reject:
			return c.rejectLocked(ErrFull, e)
		default:
			if d == noWait || c.inside(ctx) || !c.mayWait(c.waiters.len()) {
				return c.rejectLocked(ErrFull, e)
			}
			_, err := c.blockLocked(ctx, c.freeWait.get(item, size), d, e)
			return err
		}
	}
}

// stampLocked returns the time for an item that is about to be added; the clock
// is read only where the item opens a batch.
func (c *core[T]) stampLocked() time.Duration {
	if c.backlog.opens() || c.cfg.MaxBytes > 0 {
		return c.now()
	}
	return c.backlog.at
}

func (c *core[T]) rejectLocked(err error, e *effects[T]) error {
	c.n.rejected++
	c.unlock(e)
	return err
}

// dropOldestLocked takes out the item that has waited longest. There is one.
func (c *core[T]) dropOldestLocked(e *effects[T]) T {
	for {
		if !c.backlog.anyReady() {
			c.cutLocked(ByBytes)
			c.crew.wake(&e.wakeUps)
		}
		c.n.pending(c.backlog.pending())
		item, ok, emptied := c.backlog.dropFirst()
		if emptied != nil {
			c.retireLocked(emptied, 1, e)
		}
		if ok {
			c.n.droppedOld++
			c.roomLocked()
			return item
		}
	}
}

// sendMany accepts items in order, as many as it can, and returns how many. The others
// count as rejected, unless ctx was done beforehand.
func (c *core[T]) sendMany(ctx context.Context, items []T, d time.Duration) (int, error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return 0, ctxerr.From(ctx)
	}
	if c.cfg.SizeOf != nil {
		return c.sendEach(ctx, items, d)
	}
	if len(items) == 0 {
		return 0, nil
	}
	var e effects[T]
	c.mu.lock()
	if c.closing {
		c.n.rejected += uint64(len(items))
		c.unlock(&e)
		return 0, ErrClosed
	}
	n := 0
	if !c.waiters.any() {
		if !c.fitsLocked(len(items), 0) {
			c.collectLocked(&e)
			c.settleLocked(&e)
		}
		n = min(len(items), c.cfg.MaxPending-c.backlog.pending()-c.reserved)
		at := c.backlog.at
		if n > c.backlog.left() {
			at = c.now()
		}
		c.addManyLocked(items[:n], at, &e)
	}
	if n == len(items) {
		c.unlock(&e)
		return n, nil
	}
	if c.cfg.Overflow == Block && d != noWait && !c.inside(ctx) && c.mayWait(c.waiters.len()) {
		left, err := c.blockLocked(ctx, c.freeWait.getMany(items[n:]), d, &e)
		return len(items) - left, err
	}
	c.unlock(&e)
	m, err := c.sendEach(ctx, items[n:], d)
	return n + m, err
}

// sendEach accepts items one by one until one is refused. All from that one on count
// as rejected.
func (c *core[T]) sendEach(ctx context.Context, items []T, d time.Duration) (n int, err error) {
	counted := 0 // of them, already
	for ; n < len(items); n++ {
		if err = ctxerr.From(ctx); err != nil {
			break
		}
		size := 0
		if c.cfg.SizeOf != nil {
			size, err = c.sizeOf(items[n])
		}
		if err == nil {
			c.mu.lock()
			err = c.sendSlow(ctx, items[n], size, d)
		}
		if err != nil {
			counted = 1
			break
		}
	}
	if rest := len(items) - n - counted; rest > 0 {
		c.mu.lock()
		c.n.rejected += uint64(rest)
		c.mu.unlock()
	}
	return n, err
}
