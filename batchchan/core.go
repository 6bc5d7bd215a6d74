package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// core is the engine behind Batcher, Queue, Pipe and Caller: senders append to the
// backlog's open batch; a full one is cut, that is, swapped whole for an empty one and
// put on the list of ready batches; takers (workers or Recv callers) take batches.
//
// A batch that is not full is cut only by a taker, at the moment it takes it, so
// a batch that is due while everyone is busy goes on filling up and the ready
// list holds full batches alone.
//
// Invariants, whenever mu is free, with what a run has begun since the last
// settling taken for pending:
//   - pending + reserved <= MaxPending, pendingBytes <= MaxPendingBytes
//   - accepted = delivered + dropped + undelivered + pending
//   - if something is due and a taker is idle, a wake-up is on its way
//   - if senders wait, there is no room for the first of them
type core[T any] struct {
	// What Send touches, on one line: first, because the allocator aligns that.
	mu      spinLock
	backlog backlog[T] // guarded by mu, as all below

	closing     bool
	pressed     bool   // the open batch is due: a send found no room
	finished    bool   // done is closed
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
	bulkState[T]

	n counts

	_ stats.Pad

	// Set by newCore, then only read.
	executor[T]
	timing
	maxBatch int
	chunk    int             // items that a lane may collect; 0: lanes are off
	yields   int             // of a taker before it parks
	process  func(*batch[T]) // nil for the pull side
	base     time.Time       // what now() counts from
	done     chan struct{}   // closed when nothing is left and nobody works
	helper   chan struct{}   // not nil: holds one token while a goroutine runs a batch for a sender, see Pipe
	freeWait waiterPool[T]
}

// counts are the plain counters under core.mu.
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

func newCore[T any](cfg Config[T], process func(*batch[T])) *core[T] {
	c := &core[T]{
		maxBatch: cfg.MaxBatch,
		process:  process,
		base:     time.Now(),
		done:     make(chan struct{}),
	}
	c.alarm.ring = c.onAlarm
	c.executor.init(cfg)
	c.backlog.init(&c.cfg, bulkSize(cfg, process != nil))
	if cfg.SizeOf == nil && min(cfg.MaxBatch, laneItems) > 1 {
		c.chunk = min(cfg.MaxBatch, laneItems)
		if cfg.Linger >= 0 { // age shows what the size trigger sees late
			c.chunk = laneItems / c.chunk * c.chunk
		}
	}
	if process != nil {
		c.crew.most = cfg.Workers
	}
	c.mu.init(true)
	return c
}

// now returns the instance's monotonic clock.
func (c *core[T]) now() time.Duration { return time.Since(c.base) }

func (c *core[T]) fitsLocked(n, size int) bool {
	return c.backlog.pending()+c.reserved+n <= c.cfg.MaxPending &&
		(c.cfg.MaxPendingBytes == 0 || size <= c.cfg.MaxPendingBytes-c.backlog.pendingBytes())
}

// roomLocked says how much Send may append by itself. It must follow every change of
// what waits.
func (c *core[T]) roomLocked() {
	limit := 0
	if !c.closing && c.cfg.SizeOf == nil && !c.waiters.any() {
		limit = c.cfg.MaxPending - c.reserved
	}
	c.backlog.allow(limit)
}

// addLocked appends one item, for which there must be room.
func (c *core[T]) addLocked(item T, size int, at time.Duration, e *effects[T]) {
	if c.backlog.excludes(size) {
		c.cutLocked(ByBytes)
		c.crew.wake(&e.wakeUps)
	}
	opened := c.backlog.add(item, size, at)
	if opened {
		c.roomLocked()
	}
	switch {
	case c.backlog.opens():
		c.filledLocked(e)
	case c.backlog.heavy():
		c.cutLocked(ByBytes)
		c.crew.wake(&e.wakeUps)
	case opened:
		c.openedLocked(e)
	}
}

// addManyLocked appends items that came at the same time and for which there
// must be room.
func (c *core[T]) addManyLocked(items []T, at time.Duration, e *effects[T]) {
	for len(items) > 0 {
		n, opened := c.backlog.addMany(items, at)
		items = items[n:]
		if opened {
			c.roomLocked()
		}
		switch {
		case c.backlog.opens():
			c.filledLocked(e)
		case opened:
			c.openedLocked(e)
		}
	}
}

// filledLocked follows the item that made the open batch full.
func (c *core[T]) filledLocked(e *effects[T]) {
	if c.backlog.full() {
		c.cutLocked(BySize)
	}
	c.crew.wake(&e.wakeUps)
}

// openedLocked follows the first item of a batch that is not due by size.
func (c *core[T]) openedLocked(e *effects[T]) {
	switch {
	case c.cfg.Linger == 0 || c.closing:
		c.crew.wake(&e.wakeUps)
	case c.cfg.Linger > 0:
		c.expectLocked(e)
	}
}

// cutLocked makes what is open ready. There is something.
func (c *core[T]) cutLocked(why Reason) {
	b, batches := c.backlog.cut(why)
	c.outstanding += batches // taken off again in retireLocked, or one by one by the run
	c.n.cut += uint64(len(b.items))
	c.n.reasons[b.reason] += uint64(batches)
	c.pressed = false
	c.roomLocked()
}

// dueLocked says whether, and why, a taker may cut the open batch now.
func (c *core[T]) dueLocked(now time.Duration) (Reason, bool) {
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

// takeLocked returns the next batch, or nil if none is due.
func (c *core[T]) takeLocked(now time.Duration, e *effects[T]) *batch[T] {
	if !c.backlog.anyReady() {
		if len(c.lanes) > 0 {
			c.collectDueLocked(now, e)
		}
		if !c.backlog.anyReady() {
			why, due := c.dueLocked(now)
			if !due {
				return nil
			}
			c.cutLocked(why)
		}
	}
	c.n.pending(c.backlog.pending())
	b := c.backlog.pop()
	if c.backlog.runs() {
		c.runLocked(b)
	}
	n := len(b.items) - b.off
	c.backlog.begun(n, b.bytes)
	if c.backlog.placed != nil {
		if n = c.backlog.clean(b); n == 0 {
			c.retireLocked(b, 1, e)
			return c.takeLocked(now, e)
		}
	}
	b.n = n
	b.ticket = c.n.batches
	c.inFlight++
	c.inFlightN += n
	c.n.delivered += uint64(n)
	c.n.batches++
	c.admitLocked(e)
	c.roomLocked()
	return b
}

// completeLocked books a batch that was processed and makes it free.
func (c *core[T]) completeLocked(b *batch[T], e *effects[T]) {
	if c.run == b {
		c.settleLocked(e)
		c.run = nil
	}
	c.bookLocked(b)
	c.retireLocked(b, 1, e)
}

// bookLocked counts what became of the batch that b was in the processor.
func (c *core[T]) bookLocked(b *batch[T]) {
	c.inFlight--
	c.inFlightN -= b.n
	c.n.ended(b.n, b.failed, b.retries, b.panics)
}

// retireLocked ends the life of b, which holds the given number of batches that are
// not accounted for; its items must have been cleared.
func (c *core[T]) retireLocked(b *batch[T], batches int, e *effects[T]) {
	c.outstanding -= batches
	for i := range batches {
		e.barriers = c.barriers.pass(b.seq+uint64(i), e.barriers)
	}
	c.backlog.recycle(b)
}
