package batchchan

import (
	"math"
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// keyedCore decides for a Keyed: which key's batch is due and why, who is woken, who has
// room, and it keeps the counts. Workers take from the list ready. A key is in it if
// its first batch is due; if that is not due yet, the key is in the heap waits. A key
// with a batch in the processor or aside is in neither: its next batch has to wait.
//
// As core, it never waits, and calls no function of the user; the owner, keyed, guards
// it by its mu.
//
// Invariants, whenever the lock is free:
//   - pending is what all keys' buf hold, outstanding is their segments and the
//     batches in the processor or aside, busyKeys the keys that have either
//   - a segment that is not the last of its key is full
//   - if ready is not empty and a worker is idle, a wake-up is on its way
//   - the alarm is set for no later than the earliest time at which something is due
//   - no sender waits while there is room for its item, unless it stands behind a
//     sender whose item is too large for the room that there is
//   - no work under the lock grows with the number of keys or of senders, except that
//     of a Shutdown that takes items back
type keyedCore[K comparable, T any] struct {
	closing     bool
	finished    bool
	tookBack    bool // Shutdown handed items back
	keys        keyTable[K, T]
	ready       keyList[K, T]
	idleKeys    keyList[K, T]   // longest idle first
	waits       keyHeap[K, T]   // oldest first segment first
	line        keyedLine[K, T] // blocked senders
	busyKeys    int
	stoppedKeys int
	pending     int
	pendingSize int
	inFlight    int    // items in the processor or aside
	inFlightB   int    // their batches
	outstanding int    // segments that wait, and batches in the processor or aside
	opened      uint64 // segments opened
	manualTo    uint64 // those up to this one are due: Flush
	pressTo     uint64 // those up to this one are due: a send found no room
	crew        crew
	free        []*keyState[K, T]
	barriers    barriers // unfinished Flush calls
	later       later[*keyWork[K, T]]
	alarm       alarm
	accepted    uint64
	n           counts

	// Set by init, then only read.
	cfg      *Config[T]
	clock    clock
	maxKeys  int
	idleTime time.Duration
}

// step is how much is done at most under one holding of mu where more may be to
// do.
const step = 32

func (c *keyedCore[K, T]) init(cfg *Config[T], maxKeys int, idleTime time.Duration) {
	c.cfg, c.maxKeys, c.idleTime, c.clock = cfg, maxKeys, idleTime, newClock()
	c.waits = bySegment[K, T]()
	c.line.init()
	c.crew.most = cfg.Workers
}

// room says whether there is room for an item of that size; with a key that
// is not busy, if fresh.
func (c *keyedCore[K, T]) room(size int, fresh bool) bool {
	return c.pending < c.cfg.MaxPending &&
		(c.cfg.MaxPendingBytes == 0 || size <= c.cfg.MaxPendingBytes-c.pendingSize) &&
		(!fresh || c.keyRoom())
}

func (c *keyedCore[K, T]) keyRoom() bool { return c.maxKeys == 0 || c.busyKeys < c.maxKeys }

// state returns the key's state, and makes one if there is none.
func (c *keyedCore[K, T]) state(key K) *keyState[K, T] {
	s := c.keys.get(key)
	if s != nil {
		return s
	}
	if n := len(c.free); n > 0 {
		s = c.free[n-1]
		c.free[n-1] = nil
		c.free = c.free[:n-1]
	} else {
		s = newKeyState[K, T]()
	}
	s.key = key
	c.keys.put(s)
	return s
}

// add accepts an item, for which there must be room.
func (c *keyedCore[K, T]) add(s *keyState[K, T], item T, size int, e *effects[keyedItem[K, T]]) {
	fresh := !s.busy()
	opens := s.segs.len() == 0 || c.full(s.segs.back(), size)
	if opens {
		c.opened++
		c.outstanding++
		s.segs.push(segment{at: c.clock.now(), seq: c.opened})
	}
	if fresh {
		c.busyKeys++
		if s.list == inIdle {
			c.idleKeys.remove(s)
		}
		c.trimIdle()
		c.line.rank(s)
	}
	seg := s.segs.back()
	seg.n++
	seg.bytes += size
	s.buf.push(item)
	c.pending++
	c.pendingSize += size
	c.accepted++
	c.n.highWater = max(c.n.highWater, c.pending)
	if opens || c.full(seg, 0) { // else it stays where it is
		c.place(s, e)
	}
}

// full says whether seg has no room for an item of that size, or, with 0, for
// any.
func (c *keyedCore[K, T]) full(seg *segment, size int) bool {
	return seg.n >= c.cfg.MaxBatch || c.cfg.MaxBytes > 0 && max(size, 1) > c.cfg.MaxBytes-seg.bytes
}

// due says whether, and why, s may be processed now.
func (c *keyedCore[K, T]) due(s *keyState[K, T], now time.Duration) (Reason, bool) {
	seg := s.segs.front()
	switch {
	case seg.n >= c.cfg.MaxBatch:
		return BySize, true
	case s.segs.len() > 1 || c.full(seg, 0):
		return ByBytes, true
	case c.closing:
		return ByClose, true
	case seg.seq <= c.manualTo:
		return ByManual, true
	case seg.seq <= c.pressTo:
		return ByBytes, true
	case c.cfg.Linger == 0:
		return ByIdle, true
	case c.cfg.Linger > 0 && now-seg.at >= c.cfg.Linger:
		return ByLinger, true
	}
	return 0, false
}

// place puts s where it belongs, after its items or its state changed.
func (c *keyedCore[K, T]) place(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	switch {
	case s.running || s.list == inReady:
	case s.segs.len() == 0:
		c.idle(s, e)
	default:
		now := s.segs.front().at
		if c.cfg.Linger > 0 && s.heapAt == 0 {
			now = c.clock.now() // it may have waited for its own batch
		}
		if _, due := c.due(s, now); due {
			c.makeReady(s, e)
		} else if s.heapAt == 0 {
			c.waits.push(s)
			c.arm(e)
		}
	}
}

func (c *keyedCore[K, T]) makeReady(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	c.waits.remove(s)
	c.ready.push(s, inReady)
	c.crew.wake(&e.wakeUps)
}

// promote makes some of the keys ready whose first batch has become due. It
// reports false if all are.
func (c *keyedCore[K, T]) promote(now time.Duration, e *effects[keyedItem[K, T]]) (more bool) {
	for range step {
		s := c.waits.top()
		if s == nil {
			return false
		}
		if _, due := c.due(s, now); !due {
			return false
		}
		c.makeReady(s, e)
	}
	return true
}

// press makes the oldest batch due if nothing else is: a send found no room.
func (c *keyedCore[K, T]) press(e *effects[keyedItem[K, T]]) {
	if s := c.waits.top(); s != nil && c.ready.len() == 0 {
		c.pressTo = max(c.pressTo, s.segs.front().seq)
		c.makeReady(s, e)
	}
}

// idle follows the end of a key's last batch.
func (c *keyedCore[K, T]) idle(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	c.line.rank(s)
	if s.stopped {
		return
	}
	if c.idleTime == 0 || c.closing {
		c.forget(s)
		return
	}
	s.idleAt = c.clock.now()
	c.idleKeys.push(s, inIdle)
	c.trimIdle()
	c.arm(e)
}

// trimIdle forgets the longest idle key where more are kept than may be: one
// comes at a time.
func (c *keyedCore[K, T]) trimIdle() {
	limit := c.cfg.MaxPending
	if c.maxKeys > 0 {
		limit = c.maxKeys - c.busyKeys
	}
	if s := c.idleKeys.first(); s != nil && c.idleKeys.len() > limit {
		c.idleKeys.remove(s)
		c.forget(s)
	}
}

// forget frees the state of a key that is not busy, stopped or in a list,
// unless senders wait with it.
func (c *keyedCore[K, T]) forget(s *keyState[K, T]) {
	if s.waiters.any() {
		return
	}
	c.keys.remove(s)
	if len(c.free) >= 64 || cap(s.buf.all) > 2*c.cfg.MaxBatch+64 || cap(s.segs.all) > 64 {
		return
	}
	s.reset()
	c.free = append(c.free, s)
}

// arm sets the alarm for the earliest time at which something is due.
func (c *keyedCore[K, T]) arm(e *effects[keyedItem[K, T]]) {
	if c.finished {
		return
	}
	at := time.Duration(math.MaxInt64)
	if s := c.waits.top(); s != nil && c.cfg.Linger > 0 {
		at = min(at, duration.Add(s.segs.front().at, c.cfg.Linger))
	}
	if s := c.idleKeys.first(); s != nil {
		at = min(at, duration.Add(s.idleAt, c.idleTime))
	}
	if retry, ok := c.later.next(); ok {
		if retry > c.clock.now() {
			at = min(at, retry)
		} else { // a worker that is free takes it, or else the next that looks
			c.crew.wake(&e.wakeUps)
		}
	}
	if at != math.MaxInt64 && !c.alarm.before(at) {
		c.alarm.set(at, c.clock.now())
	}
}

// rang does some of what is due now that the alarm has rung, and reports whether there
// is more. If not, the alarm is set again.
func (c *keyedCore[K, T]) rang(e *effects[keyedItem[K, T]]) (more bool) {
	c.alarm.rang()
	now := c.clock.now()
	more = c.promote(now, e)
	for range step {
		s := c.idleKeys.first()
		if s == nil || now-s.idleAt < c.idleTime {
			break
		}
		c.idleKeys.remove(s)
		c.forget(s)
		more = more || s == c.idleKeys.first()
	}
	if s := c.idleKeys.first(); s != nil && now-s.idleAt >= c.idleTime {
		more = true
	}
	if !more {
		c.arm(e)
	}
	return more
}
