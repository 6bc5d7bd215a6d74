package batchchan

import (
	"sync/atomic"
	"time"
)

// Small batches cost more than their items: for each, the lock is taken on both
// sides, the clock is read and what it guards moves between cores. So where
// batches are small and one worker takes them, buf holds several of them, and the
// worker takes as many as are full at a time: a run. Inside its run it goes from
// batch to batch with one atomic operation each and without the lock; code
// that needs exact counts updates them under the lock from the progress of the run
// (core.settle; BenchmarkSend/P=1/B=10).
//
// Everything else is as with single batches: each batch is cut by its own
// size and the age of its own first item; one that is not full stays in buf,
// where it can grow, until it alone is left; what a run has not begun is pending.
// So a send that finds no room settles before it says so, and while senders or
// barriers wait the worker settles at each batch.

// bulkItems is how many items buf holds at most where it holds several batches:
// those of up to smallBatch.
const (
	bulkItems  = 256
	smallBatch = 64
)

// bulkSize returns how many items buf is to hold: MaxBatch, or a multiple. There are no
// runs where other workers, senders that take the oldest items, or batches that go
// aside need single batches.
func bulkSize[T any](cfg *Config[T], pushes bool) int {
	if !pushes || cfg.MaxBatch > smallBatch || cfg.Workers > 1 || cfg.SizeOf != nil || cfg.DetachBatches || cfg.Overflow > DropNewest || cfg.Retry.MaxAside > 0 {
		return cfg.MaxBatch
	}
	return max(min(bulkItems, cfg.MaxPending)/cfg.MaxBatch, 1) * cfg.MaxBatch
}

// parts is what a batch that is a run is made of.
type parts[T any] struct {
	whole []T             // its batches; items is the one in the processor
	marks []time.Duration // when their first items came
	part  int             // which one is in the processor
	// begun is how many of its items were begun: the worker claims the next
	// batch, and Shutdown, with stolen, all that are left, by CompareAndSwap.
	begun   atomic.Int64
	settled int // guarded by engine.mu: how many of them are in the account
}

const stolen = -1

// marksSince returns when the first items came of the batches that were begun without a
// look at the clock, and of the one before them.
func (p *parts[T]) marksSince(untimed int) []time.Duration {
	if untimed == 0 {
		return nil
	}
	return p.marks[p.part-untimed:]
}

// run begins the first batch of b.
func (c *core[T]) beginRun(b *batch[T]) {
	n := min(len(b.items), c.maxBatch)
	c.run = b
	b.whole, b.items, b.part = b.items, b.items[:n:n], 0
	b.settled = n
	b.begun.Store(int64(n))
}

// more makes b the next batch of its run, after the one that was processed, and
// reports false if there is none. Not under mu.
func (g *engine[T]) more(b *batch[T]) bool {
	from := (b.part + 1) * g.core.maxBatch
	if from >= len(b.whole) { // also where there are no runs
		return false
	}
	to := from + g.core.maxBatch
	if b.failed|b.retries|b.panics != 0 {
		if !g.settleFailed(b) {
			return false
		}
	} else {
		if !b.begun.CompareAndSwap(int64(from), int64(to)) {
			return false // Shutdown has the rest
		}
		// Who waits has set hurry and then looked at begun.
		if g.core.hurry.Load() {
			var e effects[T]
			g.mu.lock()
			g.core.settle(&e)
			g.core.hurry.Store(g.core.waiters.any() || g.core.barriers.waiting())
			g.unlock(&e)
		}
	}
	b.part++
	b.items = b.whole[from:to:to]
	b.firstAt = b.marks[b.part]
	b.ticket++
	return true
}

// hurry makes the worker settle from now on, and does so for what it has
// done already.
func (c *core[T]) hurryRun(e *effects[T]) {
	if c.backlog.runs() {
		c.hurry.Store(true)
		c.settle(e)
	}
}

// settle accounts for what the run has begun since the last time, which
// means that the batches before were processed, with success. It reports whether
// that was anything.
func (c *core[T]) settle(e *effects[T]) bool {
	b := c.run
	if b == nil {
		return false
	}
	n := int(b.begun.Load()) - b.settled
	if n == 0 {
		return false
	}
	b.settled += n
	c.backlog.begun(n, 0)
	c.n.delivered += uint64(n)
	c.n.succeeded += uint64(n)
	for ; n > 0; n -= c.maxBatch {
		c.n.batches++
		c.outstanding--
		e.barriers = c.barriers.pass(b.seq, e.barriers)
		b.seq++
	}
	c.setRoom()
	c.admit(e)
	return true
}

// settleFailed accounts for a batch that failed or was retried and begins the
// next one of its run. It reports false, and does nothing, if Shutdown took that.
func (g *engine[T]) settleFailed(b *batch[T]) bool {
	var e effects[T]
	g.mu.lock()
	defer g.unlock(&e)
	return g.core.settleFailed(b, &e)
}

func (c *core[T]) settleFailed(b *batch[T], e *effects[T]) bool {
	if c.run != b {
		return false
	}
	c.settle(e)
	c.book(b)
	b.retries, b.panics = 0, 0
	c.inFlight++
	c.inFlightN += c.maxBatch
	b.begun.Add(int64(c.maxBatch))
	b.settled += c.maxBatch
	c.backlog.begun(c.maxBatch, 0)
	c.n.delivered += uint64(c.maxBatch)
	c.n.batches++
	c.outstanding--
	e.barriers = c.barriers.pass(b.seq, e.barriers)
	b.seq++
	c.setRoom()
	c.admit(e)
	return true
}

// steal takes from the run, if there is one, what it has not begun.
func (c *core[T]) steal(e *effects[T]) []T {
	b := c.run
	if b == nil {
		return nil
	}
	for {
		c.settle(e)
		if b.settled == len(b.whole) {
			return nil
		}
		if b.begun.CompareAndSwap(int64(b.settled), stolen) {
			break
		}
	}
	rest := b.whole[b.settled:]
	c.outstanding -= len(rest) / c.maxBatch
	c.backlog.begun(len(rest), 0)
	c.run = nil
	return rest
}

// moreUntimed is more, without a look at the clock. It reports false, and has
// done nothing, if there is to be one.
func (g *engine[T]) moreUntimed(b *batch[T]) bool {
	if !b.span.next() || (b.part+1)*g.core.maxBatch >= len(b.whole) {
		return false
	}
	clear(b.items)
	if !g.more(b) {
		return false
	}
	b.untimed++
	return true
}
