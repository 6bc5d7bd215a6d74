package batchchan

import (
	"math"
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// keyed is the engine of a Keyed. Workers take from the list ready. A key is in it if
// its first batch is due; if that is not due yet, the key is in the heap waits. A key
// with a batch in the processor or aside is in neither: its next batch has to wait.
//
// Invariants, whenever mu is free:
//   - pending is what all keys' buf hold, outstanding is their segments and the
//     batches in the processor or aside, busyKeys the keys that have either
//   - a segment that is not the last of its key is full
//   - if ready is not empty and a worker is idle, a wake-up is on its way
//   - the alarm is set for no later than the earliest time at which something is due
//   - no sender waits while there is room for its item, unless it stands behind a
//     sender whose item is too large for the room that there is
//   - no work under mu grows with the number of keys or of senders, except that of a
//     Shutdown that takes items back
type keyed[K comparable, T any] struct {
	executor[T]
	key      func(T) K
	checker  keyChecker[K]
	fn       KeyedFunc[K, T]
	maxKeys  int
	idleTime time.Duration
	stop     bool
	base     time.Time
	done     chan struct{}
	timing
	freeWait waiterPool[keyedItem[K, T]]

	mu          spinLock
	closing     bool // guarded by mu, as all below
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
}

// step is how much is done at most under one holding of mu where more may be to
// do.
const step = 32

func (k *keyed[K, T]) init(cfg KeyedConfig[T], key func(T) K, fn KeyedFunc[K, T]) {
	k.executor.init(cfg.Config)
	k.key, k.fn, k.checker = key, fn, newKeyChecker[K]()
	k.maxKeys, k.idleTime, k.stop = cfg.MaxKeys, cfg.KeyIdleTimeout, cfg.StopOnError
	k.base = time.Now()
	k.done = make(chan struct{})
	k.waits = bySegment[K, T]()
	k.line.init()
	k.alarm.ring = k.onAlarm
	k.crew.most = cfg.Workers
	k.mu.init(true)
}

func (k *keyed[K, T]) now() time.Duration { return time.Since(k.base) }

// roomLocked says whether there is room for an item of that size; with a key that
// is not busy, if fresh.
func (k *keyed[K, T]) roomLocked(size int, fresh bool) bool {
	return k.pending < k.cfg.MaxPending &&
		(k.cfg.MaxPendingBytes == 0 || size <= k.cfg.MaxPendingBytes-k.pendingSize) &&
		(!fresh || k.keyRoomLocked())
}

func (k *keyed[K, T]) keyRoomLocked() bool { return k.maxKeys == 0 || k.busyKeys < k.maxKeys }

// stateLocked returns the key's state, and makes one if there is none.
func (k *keyed[K, T]) stateLocked(key K) *keyState[K, T] {
	s := k.keys.get(key)
	if s != nil {
		return s
	}
	if n := len(k.free); n > 0 {
		s = k.free[n-1]
		k.free[n-1] = nil
		k.free = k.free[:n-1]
	} else {
		s = newKeyState[K, T]()
	}
	s.key = key
	k.keys.put(s)
	return s
}

// addLocked accepts an item, for which there must be room.
func (k *keyed[K, T]) addLocked(s *keyState[K, T], item T, size int, e *effects[keyedItem[K, T]]) {
	fresh := !s.busy()
	opens := s.segs.len() == 0 || k.fullLocked(s.segs.back(), size)
	if opens {
		k.opened++
		k.outstanding++
		s.segs.push(segment{at: k.now(), seq: k.opened})
	}
	if fresh {
		k.busyKeys++
		if s.list == inIdle {
			k.idleKeys.remove(s)
		}
		k.trimIdleLocked()
		k.line.rank(s)
	}
	seg := s.segs.back()
	seg.n++
	seg.bytes += size
	s.buf.push(item)
	k.pending++
	k.pendingSize += size
	k.accepted++
	k.n.highWater = max(k.n.highWater, k.pending)
	if opens || k.fullLocked(seg, 0) { // else it stays where it is
		k.placeLocked(s, e)
	}
}

// fullLocked says whether seg has no room for an item of that size, or, with 0, for
// any.
func (k *keyed[K, T]) fullLocked(seg *segment, size int) bool {
	return seg.n >= k.cfg.MaxBatch || k.cfg.MaxBytes > 0 && max(size, 1) > k.cfg.MaxBytes-seg.bytes
}

// dueLocked says whether, and why, s may be processed now.
func (k *keyed[K, T]) dueLocked(s *keyState[K, T], now time.Duration) (Reason, bool) {
	seg := s.segs.front()
	switch {
	case seg.n >= k.cfg.MaxBatch:
		return BySize, true
	case s.segs.len() > 1 || k.fullLocked(seg, 0):
		return ByBytes, true
	case k.closing:
		return ByClose, true
	case seg.seq <= k.manualTo:
		return ByManual, true
	case seg.seq <= k.pressTo:
		return ByBytes, true
	case k.cfg.Linger == 0:
		return ByIdle, true
	case k.cfg.Linger > 0 && now-seg.at >= k.cfg.Linger:
		return ByLinger, true
	}
	return 0, false
}

// placeLocked puts s where it belongs, after its items or its state changed.
func (k *keyed[K, T]) placeLocked(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	switch {
	case s.running || s.list == inReady:
	case s.segs.len() == 0:
		k.idleLocked(s, e)
	default:
		now := s.segs.front().at
		if k.cfg.Linger > 0 && s.heapAt == 0 {
			now = k.now() // it may have waited for its own batch
		}
		if _, due := k.dueLocked(s, now); due {
			k.readyLocked(s, e)
		} else if s.heapAt == 0 {
			k.waits.push(s)
			k.armLocked(e)
		}
	}
}

func (k *keyed[K, T]) readyLocked(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	k.waits.remove(s)
	k.ready.push(s, inReady)
	k.crew.wake(&e.wakeUps)
}

// promoteLocked makes some of the keys ready whose first batch has become due. It
// reports false if all are.
func (k *keyed[K, T]) promoteLocked(now time.Duration, e *effects[keyedItem[K, T]]) (more bool) {
	for range step {
		s := k.waits.top()
		if s == nil {
			return false
		}
		if _, due := k.dueLocked(s, now); !due {
			return false
		}
		k.readyLocked(s, e)
	}
	return true
}

// pressLocked makes the oldest batch due if nothing else is: a send found no room.
func (k *keyed[K, T]) pressLocked(e *effects[keyedItem[K, T]]) {
	if s := k.waits.top(); s != nil && k.ready.len() == 0 {
		k.pressTo = max(k.pressTo, s.segs.front().seq)
		k.readyLocked(s, e)
	}
}

// idleLocked follows the end of a key's last batch.
func (k *keyed[K, T]) idleLocked(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	k.line.rank(s)
	if s.stopped {
		return
	}
	if k.idleTime == 0 || k.closing {
		k.forgetLocked(s)
		return
	}
	s.idleAt = k.now()
	k.idleKeys.push(s, inIdle)
	k.trimIdleLocked()
	k.armLocked(e)
}

// trimIdleLocked forgets the longest idle key where more are kept than may be: one
// comes at a time.
func (k *keyed[K, T]) trimIdleLocked() {
	limit := k.cfg.MaxPending
	if k.maxKeys > 0 {
		limit = k.maxKeys - k.busyKeys
	}
	if s := k.idleKeys.first(); s != nil && k.idleKeys.len() > limit {
		k.idleKeys.remove(s)
		k.forgetLocked(s)
	}
}

// forgetLocked frees the state of a key that is not busy, stopped or in a list,
// unless senders wait with it.
func (k *keyed[K, T]) forgetLocked(s *keyState[K, T]) {
	if s.waiters.any() {
		return
	}
	k.keys.remove(s)
	if len(k.free) >= 64 || cap(s.buf.all) > 2*k.cfg.MaxBatch+64 || cap(s.segs.all) > 64 {
		return
	}
	s.reset()
	k.free = append(k.free, s)
}

// armLocked sets the alarm for the earliest time at which something is due.
func (k *keyed[K, T]) armLocked(e *effects[keyedItem[K, T]]) {
	if k.finished {
		return
	}
	at := time.Duration(math.MaxInt64)
	if s := k.waits.top(); s != nil && k.cfg.Linger > 0 {
		at = min(at, duration.Add(s.segs.front().at, k.cfg.Linger))
	}
	if s := k.idleKeys.first(); s != nil {
		at = min(at, duration.Add(s.idleAt, k.idleTime))
	}
	if retry, ok := k.later.next(); ok {
		if retry > k.now() {
			at = min(at, retry)
		} else { // a worker that is free takes it, or else the next that looks
			k.crew.wake(&e.wakeUps)
		}
	}
	if at != math.MaxInt64 && !k.alarm.before(at) {
		k.alarm.set(at, k.now())
	}
}

// onAlarm does what is due, a step at a time.
func (k *keyed[K, T]) onAlarm() {
	for more := true; more; {
		var e effects[keyedItem[K, T]]
		k.mu.lock()
		k.alarm.rang()
		now := k.now()
		more = k.promoteLocked(now, &e)
		for range step {
			s := k.idleKeys.first()
			if s == nil || now-s.idleAt < k.idleTime {
				break
			}
			k.idleKeys.remove(s)
			k.forgetLocked(s)
			more = more || s == k.idleKeys.first()
		}
		if s := k.idleKeys.first(); s != nil && now-s.idleAt >= k.idleTime {
			more = true
		}
		if !more {
			k.armLocked(&e)
		}
		k.unlock(&e)
	}
}

func (k *keyed[K, T]) unlock(e *effects[keyedItem[K, T]]) {
	k.mu.unlock()
	for ; e.spawn > 0; e.spawn-- {
		go k.work(nil)
	}
	e.wake()
	if e.end {
		k.cancel()
		close(k.done)
	}
	*e = effects[keyedItem[K, T]]{}
}
