package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// laneItems is how many items a lane collects before it takes the core's lock.
const laneItems = 64

// lane collects items beside the core, under a lock of its own that only its
// own senders and, rarely, a collector take. It is a Producer's buffer, or a
// shard of Batcher.Send.
//
// A lane may hold items only up to its quota, which was set aside in
// core.reserved, so the bound on pending items holds without looking at lanes.
// A lane with a quota is active and in core.lanes. Collecting it moves its
// items to the core and takes the quota back; the next send then starts anew,
// through the core, which reads the clock. Lock order: core.mu, then lane.mu.
type lane[T any] struct {
	_ stats.Pad

	mu    spinLock
	buf   []T
	quota int // len(buf) <= quota; 0: not active

	// Guarded by core.mu.
	at     time.Duration // when buf's first item came
	index  int           // in core.lanes
	closed bool

	_ stats.Pad
}

func (c *core[T]) newLane() *lane[T] {
	l := &lane[T]{buf: make([]T, 0, c.chunk)}
	l.mu.init(false)
	return l
}

// laneSlow is for an item that found l full or not active. It hands l's items
// over and starts a new chunk, and reports true if that took the item. If not,
// the item must go to the core. mu must be held, and is on return.
func (c *core[T]) laneSlow(l *lane[T], item T, e *effects[T]) bool {
	l.mu.lock()
	if len(l.buf) < l.quota { // another sender of the same shard was faster
		l.buf = append(l.buf, item)
		l.mu.unlock()
		return true
	}
	c.drainLocked(l, e)
	ok := c.chunk > 0 && !c.closing && !l.closed && c.waiters.head == nil &&
		c.pendingLocked()+c.reserved+c.chunk <= c.cfg.MaxPending &&
		!(c.cfg.Linger == 0 && c.takersLocked())
	if !ok {
		l.mu.unlock()
		return false
	}
	l.at = c.now()
	if len(c.lanes) == 0 {
		c.lanesAt = l.at
	}
	l.index = len(c.lanes)
	c.lanes = append(c.lanes, l)
	l.buf = append(l.buf, item)
	l.quota = c.chunk
	c.reserved += c.chunk
	l.mu.unlock()
	c.roomLocked()
	if c.cfg.Linger > 0 {
		c.expectLocked(e)
	}
	return true
}

// drainLocked hands l's items over to the core and makes l inactive. Both locks
// must be held.
func (c *core[T]) drainLocked(l *lane[T], e *effects[T]) {
	if l.quota == 0 {
		return
	}
	last := len(c.lanes) - 1
	c.lanes[l.index] = c.lanes[last]
	c.lanes[l.index].index = l.index
	c.lanes[last] = nil
	c.lanes = c.lanes[:last]
	c.reserved -= l.quota
	l.quota = 0
	c.addManyLocked(l.buf, l.at, e)
	clear(l.buf)
	l.buf = l.buf[:0]
	c.roomLocked()
}

// collectLocked drains every active lane.
func (c *core[T]) collectLocked(e *effects[T]) {
	for len(c.lanes) > 0 {
		l := c.lanes[len(c.lanes)-1]
		l.mu.lock()
		c.drainLocked(l, e)
		l.mu.unlock()
	}
}

// collectDueLocked drains the lanes whose first item has reached the age Linger;
// with natural batching, all.
func (c *core[T]) collectDueLocked(now time.Duration, e *effects[T]) {
	switch {
	case c.cfg.Linger == 0 || c.closing:
		c.collectLocked(e)
	case c.cfg.Linger > 0 && now-c.lanesAt >= c.cfg.Linger:
		oldest := now
		for i := len(c.lanes) - 1; i >= 0; i-- {
			l := c.lanes[i]
			if now-l.at < c.cfg.Linger {
				oldest = min(oldest, l.at)
				continue
			}
			l.mu.lock()
			c.drainLocked(l, e) // moves the last lane, already seen, to i
			l.mu.unlock()
		}
		c.lanesAt = oldest
	}
}
