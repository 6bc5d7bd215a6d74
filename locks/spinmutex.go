package locks

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/poundlock/poundlock/internal/nocopy"
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
// 1 ms or was woken 100 times in vain, and unlocking an unlocked one ends the process and cannot be recovered.
// Unlike it, it counts what it does and takes a ctx.
type SpinMutex struct {
	_     nocopy.NoCopy
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
// in is 0 when the lock is free. A goroutine that adds itself and was the first is
// the holder; one that was not takes itself out again (a phantom), with its count.
// So Lock is one addition that needs no look at the word before, as a swap would
// (BenchmarkUncontended/Spin). The goroutine that takes in to 0 wakes the next waiter.
const (
	spinIn     uint64 = 1 << 3
	spinInMask uint64 = 1<<32 - spinIn
	spinBorrow uint64 = 1 << 31 // set by the borrow of an Unlock too many
	spinOne    uint64 = 1 << 32 // one acquisition
	spinFull   uint64 = 1 << 61 // so many that the count is due to be folded
	spinFold   uint64 = 1 << 28 // acquisitions that are folded at once, fewer than there are: a phantom may yet take its own out

	spinClosed     = spinInMask | handoff
	spinLockMask   = spinClosed | spinFull
	spinUnlockMask = spinBorrow | handoff | waiting
)

// enter begins an operation for the race detector, which by the read sees m being
// overwritten while in use.
func (m *SpinMutex) enter() {
	raceRead(unsafe.Pointer(&m.x))
	raceDisable()
}

// Lock locks m. It waits until nobody else holds it.
func (m *SpinMutex) Lock() {
	if debugEnabled {
		defer debugWant(m, m, true)()
		defer debugGot(nil, m, m, true)
	}
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
	if debugEnabled {
		debugReleased(m, true)
	}
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
func (m *SpinMutex) TryLock() (ok bool) {
	if debugEnabled {
		defer debugTried(&ok, m, m, true)
	}
	if raceEnabled {
		m.enter()
	}
	ok = m.tryLock()
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
// locked, or an error that matches ctx.Err() and [context.Cause], with m as if
// nothing had been asked. A ctx that is already done wins over a free lock. A nil
// ctx panics.
func (m *SpinMutex) LockContext(ctx context.Context) error {
	return lockContext(ctx, m.TryLock, m.lockWithin)
}

// LockTimeout is Lock that gives up after d, and reports whether m is locked. A d
// of zero or less is TryLock.
func (m *SpinMutex) LockTimeout(d time.Duration) bool {
	return tryFirst(d) && m.TryLock() || d > 0 && m.lockWithin(&limit{timeout: d})
}

func (m *SpinMutex) lockWithin(l *limit) (ok bool) {
	if debugEnabled {
		defer debugWant(m, m, true)()
		defer debugGot(&ok, m, m, true)
	}
	if raceEnabled {
		m.enter()
	}
	ok = m.lockWait(l, false)
	if raceEnabled {
		raceEnable()
		if ok {
			raceAcquire(unsafe.Pointer(m))
		}
	}
	l.stop()
	return ok
}

func (m *SpinMutex) load() uint64         { return atomic.LoadUint64(&m.state) }
func (m *SpinMutex) add(d uint64) uint64  { return atomic.AddUint64(&m.state, d) }
func (m *SpinMutex) cas(o, n uint64) bool { return atomic.CompareAndSwapUint64(&m.state, o, n) }

func (m *SpinMutex) gate() gate {
	return gate{state: &m.state, closed: spinClosed, held: spinInMask}
}
