package batchchan

import (
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// keyed is the engine of a Keyed. A key with items that are due, and none in the
// processor, is in the list ready, which workers take from; one with items that
// are not due yet is in the heap of deadlines.
type keyed[K comparable, T any] struct {
	executor[T]
	key      func(T) K
	fn       KeyedFunc[K, T]
	maxKeys  int
	idleTime time.Duration
	base     time.Time
	done     chan struct{}
	age      stats.Histogram
	proc     stats.Histogram
	freeWait sync.Pool // *waiter[keyedItem[K, T]]; per instance

	mu        spinLock
	closing   bool // guarded by mu, as all below
	finished  bool
	armed     bool
	keys      map[K]*keyState[K, T]
	ready     keyList[K, T]
	idleKeys  keyList[K, T] // longest idle first
	waits     keyHeap[K, T]
	busyKeys  int
	pending   int
	inFlight  int
	waiters   waitList[keyedItem[K, T]]
	idle      []*taker
	workers   int
	free      []*keyState[K, T]
	lastFlush *flushWait // its target counts accepted items
	timer     *time.Timer
	accepted  uint64
	n         counts
}

// keyState is one key's items.
type keyState[K comparable, T any] struct {
	next, prev *keyState[K, T] // in ready or idleKeys
	key        K
	list       uint8 // which of them
	heapAt     int   // index+1 in waits; 0: not there
	running    bool
	manual     bool
	buf        []T // buf[off:] wait
	off        int
	marks      []time.Duration // when the items came that begin a batch
	idleAt     time.Duration
	from       uint64 // items of this key taken before
	flushes    []keyMark
}

const (
	inNone uint8 = iota
	inReady
	inIdle
)

// keyedItem is an item whose key is known.
type keyedItem[K comparable, T any] struct {
	key  K
	item T
}

// keyMark is a key's part of a barrier.
type keyMark struct {
	f  *flushWait
	at uint64 // passed when the key has completed so many
}

func (k *keyed[K, T]) init(cfg KeyedConfig[T], key func(T) K, fn KeyedFunc[K, T]) {
	k.executor.init(cfg.Config)
	k.key, k.fn = key, fn
	k.maxKeys, k.idleTime = cfg.MaxKeys, cfg.IdleTimeout
	k.base = time.Now()
	k.done = make(chan struct{})
	k.freeWait.New = func() any { return &waiter[keyedItem[K, T]]{signal: newSignal()} }
	k.keys = make(map[K]*keyState[K, T])
	k.mu.init(true)
}

func (k *keyed[K, T]) now() time.Duration { return time.Since(k.base) }

func (s *keyState[K, T]) waiting() int { return len(s.buf) - s.off }

// roomLocked says whether an item with that key fits.
func (k *keyed[K, T]) roomLocked(key K) bool {
	if k.pending >= k.cfg.MaxPending {
		return false
	}
	if k.maxKeys == 0 || k.busyKeys < k.maxKeys {
		return true
	}
	s := k.keys[key]
	return s != nil && s.list != inIdle
}

func (k *keyed[K, T]) addLocked(key K, item T, e *effects[keyedItem[K, T]]) {
	s := k.keys[key]
	switch {
	case s == nil:
		if k.maxKeys > 0 && len(k.keys) >= k.maxKeys {
			k.forgetLocked(k.idleKeys.head) // there is one: there is room for a busy key
		}
		if n := len(k.free); n > 0 {
			s = k.free[n-1]
			k.free[n-1] = nil
			k.free = k.free[:n-1]
		} else {
			s = new(keyState[K, T])
		}
		s.key = key
		k.keys[key] = s
		k.busyKeys++
	case s.list == inIdle:
		k.idleKeys.remove(s)
		k.busyKeys++
	}
	if s.waiting()%k.cfg.MaxBatch == 0 {
		s.marks = append(s.marks, k.now())
	}
	if s.off > 64 && s.off > len(s.buf)/2 { // keep the room in front from growing
		n := copy(s.buf, s.buf[s.off:])
		clear(s.buf[n:])
		s.buf, s.off = s.buf[:n], 0
	}
	s.buf = append(s.buf, item)
	k.pending++
	k.accepted++
	k.n.highWater = max(k.n.highWater, k.pending)
	if s.heapAt == 0 || s.waiting() >= k.cfg.MaxBatch { // else it stays where it is
		k.placeLocked(s, e)
	}
}

// dueLocked says whether, and why, s may be processed now.
func (k *keyed[K, T]) dueLocked(s *keyState[K, T], now time.Duration) (Reason, bool) {
	switch {
	case s.waiting() >= k.cfg.MaxBatch:
		return BySize, true
	case k.closing:
		return ByClose, true
	case s.manual:
		return ByManual, true
	case k.cfg.Linger == 0:
		return ByIdle, true
	case k.cfg.Linger > 0 && now-s.marks[0] >= k.cfg.Linger:
		return ByLinger, true
	}
	return 0, false
}

// placeLocked puts s where it belongs, after its items or its state changed.
func (k *keyed[K, T]) placeLocked(s *keyState[K, T], e *effects[keyedItem[K, T]]) {
	if s.running || s.list == inReady {
		return
	}
	if s.waiting() == 0 {
		s.manual = false
		k.busyKeys--
		s.idleAt = k.now()
		k.idleKeys.push(s, inIdle)
		if k.idleTime == 0 {
			k.forgetLocked(s)
		} else {
			k.armLocked()
		}
		return
	}
	now := s.marks[0]
	if k.cfg.Linger > 0 && s.waiting() < k.cfg.MaxBatch {
		now = k.now()
	}
	if _, due := k.dueLocked(s, now); due {
		k.waits.remove(s)
		k.ready.push(s, inReady)
		k.wakeLocked(e)
		return
	}
	if k.cfg.Linger > 0 && s.heapAt == 0 {
		k.waits.push(s)
		k.armLocked()
	}
}

// forgetLocked frees an idle key's state.
func (k *keyed[K, T]) forgetLocked(s *keyState[K, T]) {
	k.idleKeys.remove(s)
	delete(k.keys, s.key)
	*s = keyState[K, T]{buf: s.buf[:0], marks: s.marks[:0], flushes: s.flushes[:0]}
	if len(k.free) < 1024 && cap(s.buf) <= 4*k.cfg.MaxBatch+64 {
		k.free = append(k.free, s)
	}
}

// armLocked sets the timer for the next deadline or the next key to forget,
// unless it runs; when it fires too early it is set again.
func (k *keyed[K, T]) armLocked() {
	if k.armed || k.finished {
		return
	}
	at := time.Duration(-1)
	if len(k.waits) > 0 {
		at = k.waits[0].marks[0] + k.cfg.Linger
	}
	if s := k.idleKeys.head; s != nil && (at < 0 || s.idleAt+k.idleTime < at) {
		at = s.idleAt + k.idleTime
	}
	if at < 0 {
		return
	}
	k.armed = true
	if d := at - k.now(); k.timer == nil {
		k.timer = time.AfterFunc(d, k.onTimer)
	} else {
		k.timer.Reset(d)
	}
}

func (k *keyed[K, T]) onTimer() {
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	k.armed = false
	now := k.now()
	for len(k.waits) > 0 && now-k.waits[0].marks[0] >= k.cfg.Linger {
		k.placeLocked(k.waits[0], &e)
	}
	for s := k.idleKeys.head; s != nil && now-s.idleAt >= k.idleTime; s = k.idleKeys.head {
		k.forgetLocked(s)
	}
	k.armLocked()
	k.unlock(&e)
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

func (k *keyed[K, T]) wakeLocked(e *effects[keyedItem[K, T]]) {
	if n := len(k.idle); n > 0 {
		t := k.idle[n-1]
		k.idle = k.idle[:n-1]
		t.next = e.takers
		e.takers = t
	} else if k.workers < k.cfg.Workers {
		k.workers++
		e.spawn++
	}
}
