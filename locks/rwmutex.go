package locks

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/poundlock/poundlock/internal/nocopy"
)

// RWMutex is a reader/writer lock with the methods and the rules of
// [sync.RWMutex]: any number of readers or one writer; a writer that waits keeps
// new readers out, so read locks must not be taken recursively; a lock belongs to
// no goroutine, so one may lock and another unlock. The zero value is unlocked.
// It must not be copied after first use and must not be shared between a
// testing/synctest bubble and goroutines outside of it that contend for it.
//
// Beyond sync it counts exactly what it does ([RWMutex.Stats]), takes a ctx or a
// timeout, downgrades and upgrades, and lets parallel readers scale: a lock that
// is mostly read, by several threads at once, moves its readers to counters of
// their own cache lines (see the package documentation).
//
// In the terms of the Go memory model the n'th Unlock (or Downgrade) is
// synchronized before any later Lock or RLock returns, and an RUnlock before the
// return of the next Lock or successful TryUpgrade. Failed operations synchronize
// nothing.
//
// An Unlock lets in all readers that sleep, and the next writer waits until they
// have left, as in sync: a reader waits for one writer, and for the readers that
// this one waits for. Writers queue in order of arrival. Running ones may overtake
// those that sleep, until one of these has waited for 1 ms or was woken 100 times in
// vain; then the next turn is its own, and after it that of the others that have
// waited as long.
//
// Misuse, such as unlocking an unlocked lock, ends the process with a message and
// cannot be recovered, as in sync. But a lock belongs to no goroutine: an RUnlock too
// many takes the place of a reader that is inside, and is found when there is none
// left to take, with striped readers not before a writer looks. Until then a writer
// may get in beside a reader. 2²² readers at a time are too many, unless they are
// striped: TryRLock then fails, and any other method ends the process.
type RWMutex struct {
	_      nocopy.NoCopy
	debug  debugMark             // no bytes without the tag poundlock_debug
	_      [0]atomic.Uint64      // aligns state on 32-bit machines
	state  uint64                // atomic; see rwstate.go
	reads  atomic.Uint64         // folded; the top byte counts folds in progress
	writes uint64                // atomic; folded; the top bit is stripes, see rwstate.go
	x      atomic.Pointer[rwExt] // what only some locks need; made by the first that does
}

// The race detector's edges hang on two addresses, as in sync.RWMutex:
// writers release readerTok, readers release writerTok.
func (rw *RWMutex) readerTok() unsafe.Pointer { return unsafe.Pointer(&rw.reads) }
func (rw *RWMutex) writerTok() unsafe.Pointer { return unsafe.Pointer(&rw.writes) }

// enter and the four below bracket an operation for the race detector.
func (rw *RWMutex) enter() {
	raceRead(unsafe.Pointer(&rw.x))
	raceDisable()
}

func (rw *RWMutex) readLocked() {
	raceEnable()
	raceAcquire(rw.readerTok())
}

func (rw *RWMutex) writeLocked() {
	raceEnable()
	raceAcquire(rw.readerTok())
	raceAcquire(rw.writerTok())
}

// Lock locks rw for writing. It waits until no other writer and no reader holds
// rw.
func (rw *RWMutex) Lock() {
	if debugEnabled && !rw.debug.hushed() {
		defer debugWant(rw, rw, true)()
		defer debugGot(nil, rw, rw, true)
	}
	if raceEnabled {
		rw.enter()
	}
	// The state without what must not be set: with any of it the swap fails.
	if s := atomic.LoadUint64(&rw.state) &^ lockMask; !atomic.CompareAndSwapUint64(&rw.state, s, s+(wLock|oneWrite)) {
		rw.lockSlow(nil)
	}
	if raceEnabled {
		rw.writeLocked()
	}
}

// Unlock unlocks rw for writing. It ends the process if rw is not locked for
// writing.
func (rw *RWMutex) Unlock() {
	if debugEnabled && !rw.debug.hushed() {
		debugReleased(rw, true)
	}
	if raceEnabled {
		raceRead(unsafe.Pointer(&rw.x))
		raceRelease(rw.readerTok())
		raceDisable()
	}
	// Adding the top bit flips it: if it is set now, it was clear.
	if s := atomic.AddUint64(&rw.state, wLock); s&unlockMask != 0 {
		rw.unlockSlow(s, errUnlock)
	}
	if raceEnabled {
		raceEnable()
	}
}

// RLock locks rw for reading. It waits while a writer holds rw or waits for its
// readers to leave.
func (rw *RWMutex) RLock() {
	if debugEnabled && !rw.debug.hushed() {
		defer debugWant(rw, rw, false)()
		defer debugGot(nil, rw, rw, false)
	}
	if raceEnabled {
		rw.enter()
	}
	if s := atomic.LoadUint64(&rw.state); s >= moded || atomic.AddUint64(&rw.state, oneReader|oneRead)&rLockedMask != 0 {
		rw.rLockSlow(s)
	}
	if raceEnabled {
		rw.readLocked()
	}
}

// RUnlock undoes one RLock; other readers stay. It ends the process if rw is not
// locked for reading.
func (rw *RWMutex) RUnlock() {
	if debugEnabled && !rw.debug.hushed() {
		debugReleased(rw, false)
	}
	if raceEnabled {
		raceRead(unsafe.Pointer(&rw.x))
		raceReleaseMerge(rw.writerTok())
		raceDisable()
	}
	// Bias may be enabled between the load and the add. A reader that entered before
	// that is counted in active, and may leave there. (See striped for why this does
	// not look at the state, as RLock does.)
	if w := atomic.LoadUint64(&rw.writes); w >= striped || atomic.AddUint64(&rw.state, ^oneReader+1) >= moded {
		rw.rUnlockSlow(w)
	}
	if raceEnabled {
		raceEnable()
	}
}

// TryLock locks rw for writing if that is possible at once, and reports whether
// it did.
func (rw *RWMutex) TryLock() (ok bool) {
	if debugEnabled && !rw.debug.hushed() {
		defer debugTried(&ok, rw, rw, true)
	}
	if raceEnabled {
		rw.enter()
	}
	ok = rw.tryLock()
	if raceEnabled {
		if ok {
			rw.writeLocked()
		} else {
			raceEnable()
		}
	}
	return ok
}

// TryRLock locks rw for reading if that is possible at once, and reports whether
// it did. It fails if rw has as many readers as it can count, and may fail while a
// TryLock or a TryUpgrade finds out that there are readers inside.
func (rw *RWMutex) TryRLock() (ok bool) {
	if debugEnabled && !rw.debug.hushed() {
		defer debugTried(&ok, rw, rw, false)
	}
	if raceEnabled {
		rw.enter()
	}
	ok = rw.tryRLock()
	if raceEnabled {
		if ok {
			rw.readLocked()
		} else {
			raceEnable()
		}
	}
	return ok
}

// LockContext is Lock that gives up when ctx is done. It returns nil with rw
// locked, or an error that matches ctx.Err() and [context.Cause], with rw as if
// nothing had been asked. A ctx that is already done wins over a free lock. A nil
// ctx panics.
func (rw *RWMutex) LockContext(ctx context.Context) error {
	return lockContext(ctx, rw.TryLock, rw.lockWithin)
}

// RLockContext is RLock that gives up when ctx is done, as
// [RWMutex.LockContext] does.
func (rw *RWMutex) RLockContext(ctx context.Context) error {
	return lockContext(ctx, rw.TryRLock, rw.rLockWithin)
}

// LockTimeout is Lock that gives up after d, and reports whether rw is locked. A
// d of zero or less is TryLock.
func (rw *RWMutex) LockTimeout(d time.Duration) bool {
	return tryFirst(d) && rw.TryLock() || d > 0 && rw.lockWithin(&limit{timeout: d})
}

// RLockTimeout is RLock that gives up after d, and reports whether rw is locked.
// A d of zero or less is TryRLock.
func (rw *RWMutex) RLockTimeout(d time.Duration) bool {
	return tryFirst(d) && rw.TryRLock() || d > 0 && rw.rLockWithin(&limit{timeout: d})
}

func (rw *RWMutex) lockWithin(l *limit) (ok bool) {
	if debugEnabled && !rw.debug.hushed() {
		defer debugWant(rw, rw, true)()
		defer debugGot(&ok, rw, rw, true)
	}
	if raceEnabled {
		rw.enter()
	}
	ok = rw.lockSlow(l)
	if raceEnabled {
		if ok {
			rw.writeLocked()
		} else {
			raceEnable()
		}
	}
	l.stop()
	return ok
}

func (rw *RWMutex) rLockWithin(l *limit) (ok bool) {
	if debugEnabled && !rw.debug.hushed() {
		defer debugWant(rw, rw, false)()
		defer debugGot(&ok, rw, rw, false)
	}
	if raceEnabled {
		rw.enter()
	}
	ok = rw.rLockWait(l, false)
	if raceEnabled {
		if ok {
			rw.readLocked()
		} else {
			raceEnable()
		}
	}
	l.stop()
	return ok
}

// RLocker returns a [sync.Locker] whose Lock and Unlock are rw.RLock and
// rw.RUnlock.
func (rw *RWMutex) RLocker() sync.Locker { return (*rlocker)(rw) }

type rlocker RWMutex

func (r *rlocker) Lock()   { (*RWMutex)(r).RLock() }
func (r *rlocker) Unlock() { (*RWMutex)(r).RUnlock() }
