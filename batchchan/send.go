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
func (g *engine[T]) send(ctx context.Context, item T, d time.Duration) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	size := 0
	if g.cfg.SizeOf != nil {
		var err error
		if size, err = g.sizeOf(item); err != nil {
			return err
		}
	}
	g.mu.lock()
	return g.sendSlow(ctx, item, size, d)
}

func (g *engine[T]) sizeOf(item T) (int, error) {
	size := max(g.cfg.SizeOf(item), 0)
	if g.cfg.MaxBytes > 0 && size > g.cfg.MaxBytes || g.cfg.MaxPendingBytes > 0 && size > g.cfg.MaxPendingBytes {
		g.reject(1)
		return 0, ErrTooLarge
	}
	return size, nil
}

// reject counts items that were refused.
func (g *engine[T]) reject(items int) {
	g.mu.lock()
	g.core.n.rejected += uint64(items)
	g.mu.unlock()
}

// sendSlow is entered with mu held and returns without.
func (g *engine[T]) sendSlow(ctx context.Context, item T, size int, d time.Duration) error {
	var e effects[T]
	return g.sendSlowWith(ctx, item, size, d, &e)
}

func (g *engine[T]) sendSlowWith(ctx context.Context, item T, size int, d time.Duration, e *effects[T]) error {
	var deadline time.Duration // of a sender that runs batches
	asked, inside := false, false
	for {
		if g.core.closing {
			return g.rejectLocked(ErrClosed, e)
		}
		if !g.core.waiters.any() {
			if g.core.fits(1, size) {
				g.core.add(item, size, g.core.stamp(), e)
				e.since = g.core.backlog.at
				g.unlock(e)
				return nil
			}
			if g.core.reserved > 0 { // what lanes have set aside and not used
				g.core.collect(e)
				continue
			}
			if g.core.settle(e) {
				continue
			}
		}
		// Full: whatever is open is due, or it might wait for a size that it
		// cannot reach.
		if !g.core.backlog.anyReady() && g.core.backlog.filling() > 0 && !g.core.pressed {
			g.core.pressed = true
			g.core.crew.wake(&e.wakeUps)
		}
		if !asked && d != noWait && g.mayHold() {
			inside, asked = g.insideLocked(ctx, e), true
			continue
		}
		switch g.cfg.Overflow {
		case DropNewest:
			g.core.n.direct++
			g.core.n.droppedNew++
			g.unlock(e)
			g.drop(item, DroppedNewest)
			return nil
		case DropOldest:
			one := [1]T{g.core.dropOldest(e)}
			old := one[:]
			for !g.core.fits(1, size) { // only where bytes are the bound
				old = append(old, g.core.dropOldest(e))
			}
			g.core.add(item, size, g.core.stamp(), e)
			g.unlock(e)
			g.dropEach(old, DroppedOldest)
			return nil
		case CallerRuns:
			if d == noWait || inside {
				return g.rejectLocked(ErrFull, e)
			}
			if d >= 0 && deadline == 0 {
				deadline = g.now() + d
			}
			if err := g.callerRunsLocked(ctx, size, deadline, e); err != nil {
				return err
			}
			continue
		case Reject:
			return g.rejectLocked(ErrFull, e)
		default:
			if d == noWait || inside || !g.mayWait(g.core.waiters.len()) {
				return g.rejectLocked(ErrFull, e)
			}
			_, err := g.blockLocked(ctx, g.freeWait.get(item, size), d, e)
			return err
		}
	}
}

// mayHold says whether a send that finds no room may have to wait, or to process a batch.
func (x *executor[T]) mayHold() bool { return x.cfg.Overflow == Block || x.cfg.Overflow == CallerRuns }

// insideLocked is inside. It asks a function of the user, the ctx's Value, and so releases mu
// for it: what was found out under mu is to be looked at again.
func (g *engine[T]) insideLocked(ctx context.Context, e *effects[T]) bool {
	g.unlock(e)
	inside := g.inside(ctx)
	g.mu.lock()
	return inside
}

// stamp returns the time for an item that is about to be added; the clock
// is read only where the item opens a batch.
func (c *core[T]) stamp() time.Duration {
	if c.backlog.opens() || c.cfg.MaxBytes > 0 {
		return c.clock.now()
	}
	return c.backlog.at
}

func (g *engine[T]) rejectLocked(err error, e *effects[T]) error {
	g.core.n.rejected++
	g.unlock(e)
	return err
}

// dropOldest takes out the item that has waited longest. There is one.
func (c *core[T]) dropOldest(e *effects[T]) T {
	for {
		if !c.backlog.anyReady() {
			c.cut(ByBytes)
			c.crew.wake(&e.wakeUps)
		}
		c.n.pending(c.backlog.pending())
		item, ok, emptied := c.backlog.dropFirst()
		if emptied != nil {
			c.retire(emptied, 1, e)
		}
		if ok {
			c.n.droppedOld++
			c.setRoom()
			return item
		}
	}
}

// sendMany accepts items in order, as many as it can, and returns how many. The others
// count as rejected, unless ctx was done beforehand.
func (g *engine[T]) sendMany(ctx context.Context, items []T, d time.Duration) (int, error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return 0, ctxerr.From(ctx)
	}
	if g.cfg.SizeOf != nil {
		return g.sendEach(ctx, items, d)
	}
	if len(items) == 0 {
		return 0, nil
	}
	var e effects[T]
	n, asked, inside := 0, false, false
	g.mu.lock()
	for {
		if g.core.closing {
			g.core.n.rejected += uint64(len(items) - n)
			g.unlock(&e)
			return n, ErrClosed
		}
		n += g.core.accept(items[n:], &e)
		if n == len(items) {
			g.unlock(&e)
			return n, nil
		}
		if asked || g.cfg.Overflow != Block || d == noWait {
			break
		}
		inside, asked = g.insideLocked(ctx, &e), true
	}
	if asked && !inside && g.mayWait(g.core.waiters.len()) {
		left, err := g.blockLocked(ctx, g.freeWait.getMany(items[n:]), d, &e)
		return len(items) - left, err
	}
	g.unlock(&e)
	m, err := g.sendEach(ctx, items[n:], d)
	return n + m, err
}

// accept appends as many of items as there is room for, and returns how many.
func (c *core[T]) accept(items []T, e *effects[T]) int {
	if c.waiters.any() {
		return 0
	}
	if !c.fits(len(items), 0) {
		c.collect(e)
		c.settle(e)
	}
	n := min(len(items), c.cfg.MaxPending-c.backlog.pending()-c.reserved)
	at := c.backlog.at
	if n > c.backlog.left() {
		at = c.clock.now()
	}
	c.addMany(items[:n], at, e)
	return n
}

// sendEach accepts items one by one until one is refused. All from that one on count
// as rejected.
func (g *engine[T]) sendEach(ctx context.Context, items []T, d time.Duration) (n int, err error) {
	counted := 0 // of them, already
	for ; n < len(items); n++ {
		if err = ctxerr.From(ctx); err != nil {
			break
		}
		size := 0
		if g.cfg.SizeOf != nil {
			size, err = g.sizeOf(items[n])
		}
		if err == nil {
			g.mu.lock()
			err = g.sendSlow(ctx, items[n], size, d)
		}
		if err != nil {
			counted = 1
			break
		}
	}
	if rest := len(items) - n - counted; rest > 0 {
		g.reject(rest)
	}
	return n, err
}
