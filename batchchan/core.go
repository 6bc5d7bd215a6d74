package batchchan

import (
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// core decides for Batcher, Queue, Pipe and Caller: which batch is due and why, who is
// woken, who has room, and it keeps the counts. Senders append to the backlog's open
// batch; a full one is cut, that is, swapped whole for an empty one and put on the list
// of ready batches; takers (workers or Recv callers) take batches.
//
// It never waits, takes no lock but a lane's, and calls no function of the user: what a
// decision leaves to be done, once its owner's lock is free, is in effects. The owner,
// engine, guards it by its mu, and tells it the time; where that is seldom needed, core
// reads the clock itself.
//
// A batch that is not full is cut only by a taker, at the moment it takes it, so
// a batch that is due while everyone is busy goes on filling up and the ready
// list holds full batches alone.
//
// Invariants, whenever the lock is free, with what a run has begun since the last
// settling taken for pending:
//   - pending + reserved <= MaxPending, pendingBytes <= MaxPendingBytes
//   - accepted = delivered + dropped + undelivered + pending
//   - if something is due and a taker is idle, a wake-up is on its way
//   - if senders wait, there is no room for the first of them
type core[T any] struct {
	backlog backlog[T] // first: see engine

	closing     bool
	pressed     bool   // the open batch is due: a send found no room
	finished    bool   // closed, and nothing is left to do
	spinning    bool   // a taker yields towards the open batch's deadline
	fakeClock   bool   // yielding does not advance the clock (testing/synctest)
	manualTo    uint64 // the batches up to this number are due: Flush
	reserved    int    // room given to active lanes
	lanes       []*lane[T]
	lanesAt     time.Duration // no active lane's first item is older
	waiters     waitList[T]   // blocked senders
	crew        crew          // workers, or Recv callers
	inFlight    int           // batches taken and not completed
	inFlightN   int           // their items
	outstanding int           // batches cut and not completed
	barriers    barriers      // unfinished Flush calls
	alarm       alarm
	later       later[*batch[T]] // aside, until their next attempt
	run         *batch[T]        // in the worker's hands: see bulk.go
	hurry       atomic.Bool      // somebody waits for the run's progress; the worker reads it without the lock

	n counts

	_ stats.Pad

	// Set by init, then only read.
	cfg      *Config[T]
	clock    clock
	maxBatch int
	chunk    int // items that a lane may collect; 0: lanes are off
}

// counts are the plain counters under engine.mu.
type counts struct {
	cut         uint64 // items in all batches cut so far
	direct      uint64 // items accepted and dropped without having been in buf
	delivered   uint64
	succeeded   uint64
	failed      uint64
	retried     uint64
	panics      uint64
	rejected    uint64
	droppedNew  uint64
	droppedOld  uint64
	undelivered uint64
	cancelled   uint64
	blocked     uint64
	blockedTime time.Duration
	batches     uint64
	reasons     [numReasons]uint64
	highWater   int
}

// pending notes how many items wait.
func (n *counts) pending(items int) { n.highWater = max(n.highWater, items) }

// ended counts the items of a batch that was in the processor.
func (n *counts) ended(items, failed, retries, panics int) {
	n.failed += uint64(failed)
	n.succeeded += uint64(items - failed)
	n.retried += uint64(retries)
	n.panics += uint64(panics)
}

func (c *core[T]) init(cfg *Config[T], pushes bool) {
	c.cfg, c.maxBatch, c.clock = cfg, cfg.MaxBatch, newClock()
	c.backlog.init(cfg, bulkSize(cfg, pushes))
	if cfg.SizeOf == nil && min(cfg.MaxBatch, laneItems) > 1 {
		c.chunk = min(cfg.MaxBatch, laneItems)
		if cfg.Linger >= 0 { // age shows what the size trigger sees late
			c.chunk = laneItems / c.chunk * c.chunk
		}
	}
	if pushes {
		c.crew.most = cfg.Workers
	}
}

func (c *core[T]) fits(n, size int) bool {
	return c.backlog.pending()+c.reserved+n <= c.cfg.MaxPending &&
		(c.cfg.MaxPendingBytes == 0 || size <= c.cfg.MaxPendingBytes-c.backlog.pendingBytes())
}

// room says how much Send may append by itself. It must follow every change of
// what waits.
func (c *core[T]) setRoom() {
	limit := 0
	if !c.closing && c.cfg.SizeOf == nil && !c.waiters.any() {
		limit = c.cfg.MaxPending - c.reserved
	}
	c.backlog.allow(limit)
}

// add appends one item, for which there must be room.
func (c *core[T]) add(item T, size int, at time.Duration, e *effects[T]) {
	if c.backlog.excludes(size) {
		c.cut(ByBytes)
		c.crew.wake(&e.wakeUps)
	}
	opened := c.backlog.add(item, size, at)
	if opened {
		c.setRoom()
	}
	switch {
	case c.backlog.opens():
		c.filled(e)
	case c.backlog.heavy():
		c.cut(ByBytes)
		c.crew.wake(&e.wakeUps)
	case opened:
		c.opened(e)
	}
}

// addMany appends items that came at the same time and for which there
// must be room.
func (c *core[T]) addMany(items []T, at time.Duration, e *effects[T]) {
	for len(items) > 0 {
		n, opened := c.backlog.addMany(items, at)
		items = items[n:]
		if opened {
			c.setRoom()
		}
		switch {
		case c.backlog.opens():
			c.filled(e)
		case opened:
			c.opened(e)
		}
	}
}

// filled follows the item that made the open batch full.
func (c *core[T]) filled(e *effects[T]) {
	if c.backlog.full() {
		c.cut(BySize)
	}
	c.crew.wake(&e.wakeUps)
}

// opened follows the first item of a batch that is not due by size.
func (c *core[T]) opened(e *effects[T]) {
	switch {
	case c.cfg.Linger == 0 || c.closing:
		c.crew.wake(&e.wakeUps)
	case c.cfg.Linger > 0:
		c.expect(e)
	}
}

// cut makes what is open ready. There is something.
func (c *core[T]) cut(why Reason) {
	b, batches := c.backlog.cut(why)
	c.outstanding += batches // taken off again in retire, or one by one by the run
	c.n.cut += uint64(len(b.items))
	c.n.reasons[b.reason] += uint64(batches)
	c.pressed = false
	c.setRoom()
}

// due says whether, and why, a taker may cut the open batch now.
func (c *core[T]) due(now time.Duration) (Reason, bool) {
	switch {
	case c.backlog.filling() == 0:
	case c.backlog.filling() >= c.maxBatch: // only where there are runs: else it was cut at once
		return BySize, true
	case c.closing:
		return ByClose, true
	case c.manualTo >= c.backlog.seq:
		return ByManual, true
	case c.pressed || c.waiters.any():
		return ByBytes, true
	case c.cfg.Linger == 0:
		return ByIdle, true
	case c.cfg.Linger > 0 && now-c.backlog.at >= c.cfg.Linger:
		return ByLinger, true
	}
	return 0, false
}

// take returns the next batch, or nil if none is due.
func (c *core[T]) take(now time.Duration, e *effects[T]) *batch[T] {
	if !c.backlog.anyReady() {
		if len(c.lanes) > 0 {
			c.collectDue(now, e)
		}
		if !c.backlog.anyReady() {
			why, due := c.due(now)
			if !due {
				return nil
			}
			c.cut(why)
		}
	}
	c.n.pending(c.backlog.pending())
	b := c.backlog.pop()
	if c.backlog.runs() {
		c.beginRun(b)
	}
	n := len(b.items) - b.off
	c.backlog.begun(n, b.bytes)
	if c.backlog.placed != nil {
		if n = c.backlog.clean(b); n == 0 {
			c.retire(b, 1, e)
			return c.take(now, e)
		}
	}
	b.n = n
	b.ticket = c.n.batches
	c.inFlight++
	c.inFlightN += n
	c.n.delivered += uint64(n)
	c.n.batches++
	c.admit(e)
	c.setRoom()
	return b
}

// complete books a batch that was processed and makes it free.
func (c *core[T]) complete(b *batch[T], e *effects[T]) {
	if c.run == b {
		c.settle(e)
		c.run = nil
	}
	c.book(b)
	c.retire(b, 1, e)
}

// book counts what became of the batch that b was in the processor.
func (c *core[T]) book(b *batch[T]) {
	c.inFlight--
	c.inFlightN -= b.n
	c.n.ended(b.n, b.failed, b.retries, b.panics)
}

// retire ends the life of b, which holds the given number of batches that are
// not accounted for; its items must have been cleared.
func (c *core[T]) retire(b *batch[T], batches int, e *effects[T]) {
	c.outstanding -= batches
	for i := range batches {
		e.barriers = c.barriers.pass(b.seq+uint64(i), e.barriers)
	}
	c.backlog.recycle(b)
}
