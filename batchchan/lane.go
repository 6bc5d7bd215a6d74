package batchchan

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// laneItems is how many items a lane collects before it takes the engine's lock.
const laneItems = 64

// lane collects items beside the core. It is a Producer's buffer, or a shard of
// Batcher.Send.
//
// The senders of a shard append to buf[:len(buf)] under the lane's lock. A Producer
// needs none: it writes buf[sent], beyond what anybody else looks at, and then
// publishes it with one atomic addition to count. Who collects the lane swaps
// laneTaken in, so that the addition comes out negative if it came too late, and
// the item is then still the Producer's (BenchmarkSend/P=1/B=100/Producer).
//
// A lane may hold items only up to its quota, which was set aside in
// core.reserved, so the bound on pending items holds without looking at lanes.
// A lane with a quota is active and in core.lanes. Collecting it moves its
// items to the core and takes the quota back; the next send then starts anew,
// through the core, which reads the clock. Lock order: engine.mu, then lane.mu.
type lane[T any] struct {
	_ stats.Pad

	count atomic.Int32 // a Producer's items in buf; negative: collected, or not active
	sent  int          // the Producer's own: count as it knows it
	room  int          // the Producer's own: quota as it knows it
	buf   []T

	mu    spinLock
	quota int // len(buf), or count, is at most that; 0: not active

	// Guarded by engine.mu.
	single bool          // a Producer's; never changes
	at     time.Duration // when buf's first item came
	index  int           // in core.lanes
	closed bool

	_ stats.Pad
}

// laneTaken is far enough below 0 for any additions that come too late.
const laneTaken = math.MinInt32

// newLane returns a lane for one Producer, or for a shard's senders.
func (g *engine[T]) newLane(single bool) *lane[T] {
	l := &lane[T]{single: single, buf: make([]T, 0, g.core.chunk)}
	if single {
		l.buf = l.buf[:g.core.chunk]
	}
	l.count.Store(laneTaken)
	l.mu.init(false)
	return l
}

// put is the Producer's way to add an item. It reports false if it must go the
// slow way.
func (l *lane[T]) put(item T) bool {
	n := l.sent
	if n >= l.room {
		return false
	}
	l.buf[n] = item
	l.sent = n + 1
	if l.count.Add(1) > 0 {
		return true
	}
	var zero T
	l.buf[n], l.room = zero, 0
	return false
}

// take returns l's items and leaves l empty, and not active. Both locks must be
// held; the items must be cleared before engine.mu is free.
func (l *lane[T]) take() []T {
	l.quota = 0
	if l.single {
		return l.buf[:max(l.count.Swap(laneTaken), 0)]
	}
	items := l.buf
	l.buf = l.buf[:0]
	return items
}

// len returns how many items are in l, which must be active.
func (l *lane[T]) len() int {
	if l.single {
		return int(l.count.Load())
	}
	l.mu.lock()
	defer l.mu.unlock()
	return len(l.buf)
}

// openLane is for an item that found l full or not active. It hands l's items
// over and starts a new chunk, and reports true if that took the item. If not,
// the item must go to the core.
func (c *core[T]) openLane(l *lane[T], item T, e *effects[T]) bool {
	l.mu.lock()
	if !l.single && len(l.buf) < l.quota { // another sender of the same shard was faster
		l.buf = append(l.buf, item)
		l.mu.unlock()
		return true
	}
	c.drain(l, e)
	ok := c.chunk > 0 && !c.closing && !l.closed && !c.waiters.any() &&
		c.backlog.pending()+c.reserved+c.chunk <= c.cfg.MaxPending &&
		!(c.cfg.Linger == 0 && c.crew.ready())
	if !ok {
		l.mu.unlock()
		return false
	}
	l.at = c.clock.now()
	if len(c.lanes) == 0 {
		c.lanesAt = l.at
	}
	l.index = len(c.lanes)
	c.lanes = append(c.lanes, l)
	if l.single {
		l.buf[0] = item
		l.sent, l.room = 1, c.chunk
		l.count.Store(1)
	} else {
		l.buf = append(l.buf, item)
	}
	l.quota = c.chunk
	c.reserved += c.chunk
	l.mu.unlock()
	c.setRoom()
	if c.cfg.Linger > 0 {
		c.expect(e)
	}
	return true
}

// drain hands l's items over to the core and makes l inactive. Both locks
// must be held.
func (c *core[T]) drain(l *lane[T], e *effects[T]) {
	if l.quota == 0 {
		return
	}
	last := len(c.lanes) - 1
	c.lanes[l.index] = c.lanes[last]
	c.lanes[l.index].index = l.index
	c.lanes[last] = nil
	c.lanes = c.lanes[:last]
	c.reserved -= l.quota
	items := l.take()
	c.addMany(items, l.at, e)
	clear(items)
	c.setRoom()
}

// collect drains every active lane.
func (c *core[T]) collect(e *effects[T]) {
	for len(c.lanes) > 0 {
		l := c.lanes[len(c.lanes)-1]
		l.mu.lock()
		c.drain(l, e)
		l.mu.unlock()
	}
}

// collectDue drains the lanes whose first item has reached the age Linger;
// with natural batching, all.
func (c *core[T]) collectDue(now time.Duration, e *effects[T]) {
	switch {
	case c.cfg.Linger == 0 || c.closing:
		c.collect(e)
	case c.cfg.Linger > 0 && now-c.lanesAt >= c.cfg.Linger:
		oldest := now
		for i := len(c.lanes) - 1; i >= 0; i-- {
			l := c.lanes[i]
			if now-l.at < c.cfg.Linger {
				oldest = min(oldest, l.at)
				continue
			}
			l.mu.lock()
			c.drain(l, e) // moves the last lane, already seen, to i
			l.mu.unlock()
		}
		c.lanesAt = oldest
	}
}
