package locks

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/poundlock/poundlock/internal/stats"
)

// SpinMutex is a mutual exclusion lock for sections of a few instructions. A
// waiter polls for about as long as holders of this lock have lately made waiters
// wait, then yields to other goroutines, then sleeps: it burns no time while the
// holder is descheduled. The zero value is unlocked. It must not be copied after
// first use and must not be shared between a testing/synctest bubble and
// goroutines outside of it that contend for it.
//
// Like [sync.Mutex] it belongs to no goroutine, an Unlock is synchronized before
// later Locks, newcomers may overtake sleepers until one of them has waited for
// 1 ms, and unlocking an unlocked one ends the process and cannot be recovered.
// Unlike it, it counts what it does and takes a ctx.
type SpinMutex struct {
	_     noCopy
	_     [0]atomic.Uint64 // aligns state on 32-bit machines
	state uint64           // atomic; see below
	x     atomic.Pointer[spinExt]
}

// The state word, with the bits of park.go between:
//
//	 61        32 31     3 2   1
//	+------------+--------+------+
//	|   count    |   in   | notes|
//	+------------+--------+------+
//
// in is 0 when the lock is free. Who adds itself to it and was the first is the
// holder; who was not takes itself out again (a phantom), with its count. That
// makes Lock one addition that needs no look at the word before, which a swap
// would (BenchmarkUncontended/Spin). Who takes in to 0 wakes whom it should.
const (
	spinIn     uint64 = 1 << 3
	spinInMask uint64 = 1<<32 - spinIn
	spinBorrow uint64 = 1 << 31 // set by the borrow of an Unlock too many
	spinOne    uint64 = 1 << 32 // one acquisition
	spinFull   uint64 = 1 << 61 // so many that the count is due to be folded
	spinFold   uint64 = 1 << 28 // acquisitions that are folded at once, fewer than there are, lest a phantom's be missing then

	spinClosed     = spinInMask | handoff
	spinLockMask   = spinClosed | spinFull
	spinUnlockMask = spinBorrow | handoff | waiting
)

// SpinStats is what a [SpinMutex] knows about itself. Counters are exact when no
// operation is in progress.
type SpinStats struct {
	Acquired uint64 `json:"acquired"` // times the lock was acquired, by whatever method
	Spun     uint64 `json:"spun"`     // of those, after polling only
	Polls    uint64 `json:"polls"`    // looks at the lock by waiters that polled
	Yields   uint64 `json:"yields"`   // times that a waiter let other goroutines run
	Parked   uint64 `json:"parked"`   // waiters that went to sleep, each once
	Handoffs uint64 `json:"handoffs"` // waiters given the lock because others had overtaken them for 1 ms
	Canceled uint64 `json:"canceled"` // waits ended by a ctx or a timeout

	Locked     bool    `json:"locked"`     // at that moment
	Waiting    int     `json:"waiting"`    // goroutines asleep for the lock
	Contended  uint64  `json:"contended"`  // of Acquired, those that found the lock taken
	Contention float64 `json:"contention"` // Contended by Acquired, 0 to 1

	// Wait summarises the waits of those that slept, from their first sleep to the
	// lock. The clock is not read for any other.
	Wait Latency `json:"wait"`
}

// enter begins an operation for the race detector, which by the read sees m being
// overwritten while in use.
func (m *SpinMutex) enter() {
	raceRead(unsafe.Pointer(&m.x))
	raceDisable()
}

// Lock locks m. It waits until nobody else holds it.
func (m *SpinMutex) Lock() {
	if raceEnabled {
		m.enter()
	}
	if s := atomic.AddUint64(&m.state, spinIn+spinOne); s&spinLockMask != spinIn {
		m.lockSlow(s)
	}
	if raceEnabled {
		raceEnable()
		raceAcquire(unsafe.Pointer(m))
	}
}

// Unlock unlocks m. It ends the process if m is not locked.
func (m *SpinMutex) Unlock() {
	if raceEnabled {
		raceRead(unsafe.Pointer(&m.x))
		raceRelease(unsafe.Pointer(m))
		raceDisable()
	}
	if s := atomic.AddUint64(&m.state, ^spinIn+1); s&spinUnlockMask != 0 {
		m.unlockSlow(s)
	}
	if raceEnabled {
		raceEnable()
	}
}

// TryLock locks m if nobody holds it, and reports whether it did. It may fail while
// another goroutine finds out that it must wait.
func (m *SpinMutex) TryLock() bool {
	if raceEnabled {
		m.enter()
	}
	ok := m.tryLock()
	if raceEnabled {
		raceEnable()
		if ok {
			raceAcquire(unsafe.Pointer(m))
		}
	}
	return ok
}

//go:norace
func (m *SpinMutex) tryLock() bool {
	for {
		s := m.load()
		if s&spinClosed != 0 {
			return false
		}
		if m.cas(s, s+(spinIn+spinOne)) {
			if s&spinFull != 0 {
				m.fold()
			}
			return true
		}
	}
}

// LockContext is Lock that gives up when ctx is done. It returns nil with m
// locked, or ctx.Err() with m as if nothing had been asked. A ctx that is already
// done wins over a free lock. A nil ctx panics.
func (m *SpinMutex) LockContext(ctx context.Context) error {
	return lockContext(ctx, m.TryLock, m.lockWithin)
}

// LockTimeout is Lock that gives up after d, and reports whether m is locked. A d
// of zero or less is TryLock.
func (m *SpinMutex) LockTimeout(d time.Duration) bool {
	return m.TryLock() || d > 0 && m.lockWithin(&limit{timeout: d})
}

func (m *SpinMutex) lockWithin(l *limit) bool {
	if raceEnabled {
		m.enter()
	}
	ok := m.lockWait(l, false)
	if raceEnabled {
		raceEnable()
		if ok {
			raceAcquire(unsafe.Pointer(m))
		}
	}
	l.stop()
	return ok
}

// Stats returns what m has counted so far. It may be called at any time and makes
// nobody wait for longer than a few instructions.
func (m *SpinMutex) Stats() SpinStats {
	if raceEnabled {
		m.enter()
		defer raceEnable()
	}
	return m.stats()
}

//go:norace
func (m *SpinMutex) stats() SpinStats {
	var st SpinStats
	s, x := m.load(), m.x.Load()
	if x != nil {
		st.Contended, st.Spun, st.Polls = x.contended.Load(), x.spun.Load(), x.polls.Load()
		st.Yields, st.Parked = x.yields.Load(), x.parked.Load()
		st.Handoffs, st.Canceled = x.handoffs.Load(), x.canceled.Load()
		st.Wait = x.wait.Load().Latency()
		// The whole after its parts: they never exceed it.
		x.mu.Lock()
		st.Waiting = x.q.n
		s = m.load()
		st.Acquired = x.folded
		x.mu.Unlock()
	}
	st.Acquired += (s &^ handoff) / spinOne
	st.Locked = s&spinClosed != 0
	st.Contention = stats.Ratio(st.Contended, st.Acquired)
	return st
}

func (m *SpinMutex) load() uint64         { return atomic.LoadUint64(&m.state) }
func (m *SpinMutex) add(d uint64) uint64  { return atomic.AddUint64(&m.state, d) }
func (m *SpinMutex) cas(o, n uint64) bool { return atomic.CompareAndSwapUint64(&m.state, o, n) }

func (m *SpinMutex) gate() gate {
	return gate{state: &m.state, closed: spinClosed, held: spinInMask}
}
