package batchchan

import (
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// core is the buffer behind Batcher, Queue, Pipe and Caller: senders append to
// buf; a full buf is cut, that is, swapped whole for an empty one and put on the
// list of ready batches; takers (workers or Recv callers) take batches.
//
// A batch that is not full is cut only by a taker, at the moment it takes it, so
// a batch that is due while everyone is busy goes on filling up and the ready
// list holds full batches alone. buf is one batch, or, where batches are small,
// several that follow one another: see bulk.go.
//
// Invariants, whenever mu is free, with what a run has begun since the last
// settling taken for pending:
//   - pending + reserved <= maxPending, pendingBytes <= maxPendingBytes
//   - len(buf) < bulk, bound-maxBatch < len(buf) <= bound, bufBytes < maxBytes
//   - accepted = delivered + dropped + undelivered + pending
//   - if something is due and a taker is idle, a wake-up is on its way
//   - if senders wait, there is no room for the first of them
type core[T any] struct {
	// What Send touches, on one line: first, because the allocator aligns that.
	mu    spinLock
	buf   []T           // the open batch, or several: the last is open
	room  int           // an append is plain while len(buf) < room
	bound int           // len(buf) at which its last batch is full; 0 while it is empty
	bufAt time.Duration // when the first item of buf's last batch came

	// All below is guarded by mu, too.
	closing     bool
	pressed     bool   // the open batch is due: a send found no room
	finished    bool   // done is closed
	spinning    bool   // a taker yields towards the open batch's deadline
	fakeClock   bool   // yielding does not advance the clock (testing/synctest)
	bufSeq      uint64 // the number of buf's first batch
	manualTo    uint64 // the batches up to this number are due: Flush
	bufBytes    int
	bufSizes    []int        // of the items in buf, where SizeOf is used
	ready       batchList[T] // cut, not yet taken
	readyItems  int
	readyBytes  int
	reserved    int // room given to active lanes
	lanes       []*lane[T]
	lanesAt     time.Duration // no active lane's first item is older
	waiters     waitList[T]   // blocked senders
	crew        crew          // workers, or Recv callers
	inFlight    int           // batches taken and not completed
	inFlightN   int           // their items
	outstanding int           // batches cut and not completed
	barriers    barriers      // unfinished Flush calls
	free        []*batch[T]   // empty batches
	alarm       alarm
	later       later[*batch[T]] // aside, until their next attempt
	bulkState[T]
	leaveState[T]

	n counts

	_ stats.Pad

	// Set by newCore, then only read.
	executor[T]
	maxBatch int
	bulk     int             // items that buf holds: maxBatch, or a multiple, see bulk.go
	chunk    int             // items that a lane may collect; 0: lanes are off
	yields   int             // of a taker before it parks
	process  func(*batch[T]) // nil for the pull side
	base     time.Time       // what now() counts from
	done     chan struct{}   // closed when nothing is left and nobody works
	age      stats.Histogram // of the first item when its batch is taken
	proc     stats.Histogram // of a batch in the processor
	helper   chan struct{}   // not nil: holds one token while a goroutine runs a batch for a sender, see Pipe
	freeWait sync.Pool       // *waiter[T]; per instance, see the package's rule on channels
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
		bufSeq:   1,
	}
	c.alarm.ring = c.onAlarm
	c.freeWait.New = func() any { return newWaiter[T]() }
	c.executor.init(cfg)
	c.bulk = bulkSize(cfg, process != nil)
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
	c.buf = c.newItems()
	return c
}

// now returns the instance's monotonic clock.
func (c *core[T]) now() time.Duration { return time.Since(c.base) }

func (c *core[T]) newItems() []T { return make([]T, 0, min(c.bulk, 1024)) }

// pendingLocked returns the accepted items that wait, without those in lanes.
func (c *core[T]) pendingLocked() int { return c.readyItems + len(c.buf) - c.gone }

func (c *core[T]) pendingBytesLocked() int { return c.readyBytes + c.bufBytes - c.goneBytes }

func (c *core[T]) fitsLocked(n, size int) bool {
	return c.pendingLocked()+c.reserved+n <= c.cfg.MaxPending &&
		(c.cfg.MaxPendingBytes == 0 || size <= c.cfg.MaxPendingBytes-c.pendingBytesLocked())
}

// roomLocked recomputes room. It must follow every change of what it reads.
func (c *core[T]) roomLocked() {
	c.room = 0
	if !c.closing && c.cfg.SizeOf == nil && !c.waiters.any() {
		c.room = min(c.bound-1, c.cfg.MaxPending-c.reserved-c.readyItems+c.gone)
	}
}

// addLocked appends one item, for which there must be room.
func (c *core[T]) addLocked(item T, size int, at time.Duration, e *effects[T]) {
	if c.cfg.MaxBytes > 0 && size > c.cfg.MaxBytes-c.bufBytes && len(c.buf) > 0 {
		c.cutLocked(ByBytes)
		c.crew.wake(&e.wakeUps)
	}
	opens := len(c.buf) == c.bound
	if opens {
		c.openLocked(at)
	}
	c.buf = append(c.buf, item)
	if c.placed != nil {
		c.added++
		c.placed(item, c.added)
	}
	if c.cfg.SizeOf != nil {
		c.bufBytes += size
		c.bufSizes = append(c.bufSizes, size)
	}
	switch {
	case len(c.buf) == c.bound:
		c.filledLocked(e)
	case c.cfg.MaxBytes > 0 && c.bufBytes >= c.cfg.MaxBytes:
		c.cutLocked(ByBytes)
		c.crew.wake(&e.wakeUps)
	case opens:
		c.openedLocked(e)
	}
}

// addManyLocked appends items that came at the same time and for which there
// must be room.
func (c *core[T]) addManyLocked(items []T, at time.Duration, e *effects[T]) {
	for len(items) > 0 {
		opens := len(c.buf) == c.bound
		switch {
		case opens:
			c.openLocked(at)
		case at < c.bufAt:
			c.bufAt = at
			if n := len(c.marks); n > 0 {
				c.marks[n-1] = at
			}
		}
		n := min(len(items), c.bound-len(c.buf))
		c.buf = append(c.buf, items[:n]...)
		items = items[n:]
		switch {
		case len(c.buf) == c.bound:
			c.filledLocked(e)
		case opens:
			c.openedLocked(e)
		}
	}
}

// openLocked begins a batch in buf.
func (c *core[T]) openLocked(at time.Duration) {
	c.bufAt = at
	c.bound += c.maxBatch
	if c.bulk > c.maxBatch {
		c.marks = append(c.marks, at)
	}
	c.roomLocked()
}

// filledLocked follows the item that made buf's last batch full.
func (c *core[T]) filledLocked(e *effects[T]) {
	if len(c.buf) == c.bulk {
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

// cutLocked makes a ready batch of buf, which must not be empty.
func (c *core[T]) cutLocked(why Reason) {
	var b *batch[T]
	if n := len(c.free); n > 0 {
		b = c.free[n-1]
		c.free[n-1] = nil
		c.free = c.free[:n-1]
	} else {
		b = &batch[T]{items: c.newItems()}
	}
	b.items, c.buf = c.buf, b.items
	if c.cfg.SizeOf != nil {
		b.sizes, c.bufSizes = c.bufSizes, b.sizes
		b.bytes, c.bufBytes = c.bufBytes, 0
	}
	b.seq, b.reason, b.firstAt, b.end = c.bufSeq, why, c.bufAt, c.added
	c.bound = 0
	batches := 1 // taken off again in retireLocked, or one by one by the run
	if c.bulk > c.maxBatch {
		batches = c.splitLocked(b)
	}
	c.bufSeq += uint64(batches)
	c.outstanding += batches
	c.n.cut += uint64(len(b.items))
	c.n.reasons[b.reason] += uint64(batches)
	c.readyItems += len(b.items)
	c.readyBytes += b.bytes
	c.pressed = false
	c.ready.push(b)
	c.roomLocked()
}

// dueLocked says whether, and why, a taker may cut the open batch now.
func (c *core[T]) dueLocked(now time.Duration) (Reason, bool) {
	switch {
	case len(c.buf) == 0:
	case len(c.buf) >= c.maxBatch: // only where bulk > maxBatch: else it was cut at once
		return BySize, true
	case c.closing:
		return ByClose, true
	case c.manualTo >= c.bufSeq:
		return ByManual, true
	case c.pressed || c.waiters.any():
		return ByBytes, true
	case c.cfg.Linger == 0:
		return ByIdle, true
	case c.cfg.Linger > 0 && now-c.bufAt >= c.cfg.Linger:
		return ByLinger, true
	}
	return 0, false
}

// takeLocked returns the next batch, or nil if none is due.
func (c *core[T]) takeLocked(now time.Duration, e *effects[T]) *batch[T] {
	if c.ready.head == nil {
		if len(c.lanes) > 0 {
			c.collectDueLocked(now, e)
		}
		if c.ready.head == nil {
			why, due := c.dueLocked(now)
			if !due {
				return nil
			}
			c.cutLocked(why)
		}
	}
	c.noteHighWaterLocked()
	b := c.ready.pop()
	if c.bulk > c.maxBatch {
		c.runLocked(b)
	}
	n := len(b.items) - b.off
	c.readyItems -= n
	c.readyBytes -= b.bytes
	if c.placed != nil {
		if n = c.takenLocked(b); n == 0 {
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

func (c *core[T]) noteHighWaterLocked() {
	c.n.highWater = max(c.n.highWater, c.pendingLocked())
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
		c.passLocked(b.seq+uint64(i), e)
	}
	if b.whole != nil {
		b.items, b.whole = b.whole, nil
	}
	b.items = b.items[:0]
	if c.cfg.SizeOf != nil || b.off|b.retries|b.panics|b.failed != 0 { // else nothing to reset, and a line less to write
		b.sizes, b.off, b.retries, b.panics, b.failed = b.sizes[:0], 0, 0, 0, 0
	}
	c.free = append(c.free, b)
}
