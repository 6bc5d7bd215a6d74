package locks

import (
	"context"
	"unsafe"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Downgrade turns the caller's write lock into a read lock. No writer gets in
// between; waiting readers may join. It counts as a read and is undone with
// RUnlock. It ends the process if rw is not locked for writing.
func (rw *RWMutex) Downgrade() {
	if debugEnabled {
		debugConverted(rw, false)
	}
	if raceEnabled {
		raceRead(unsafe.Pointer(&rw.x))
		raceRelease(rw.readerTok())
		raceDisable()
	}
	if s := rw.add(wLock + oneReader + oneRead); s&unlockMask != 0 {
		rw.unlockSlow(s, errDowngrade)
	}
	if raceEnabled {
		raceEnable()
	}
}

// TryUpgrade turns the caller's read lock into a write lock if the caller is the
// only reader and no writer waits for it to leave, and reports whether it did. If
// not, the caller still holds its read lock, and should release it before it asks
// for the write lock: two readers that both insist would wait for each other. A
// reader that is just arriving or leaving may make it fail. A success counts as a
// write. It ends the process if it finds rw without a reader.
func (rw *RWMutex) TryUpgrade() bool {
	if raceEnabled {
		rw.enter()
	}
	ok := rw.tryUpgrade()
	if raceEnabled {
		if ok {
			rw.writeLocked()
		} else {
			raceEnable()
		}
	}
	if debugEnabled && ok {
		debugConverted(rw, true)
	}
	return ok
}

//go:norace
func (rw *RWMutex) tryUpgrade() bool {
	for {
		s := rw.load()
		if s&(closed|biased|activeMask) == 0 {
			fatal(errUpgrade)
		}
		switch {
		case s&(writerClosed|readersAsleep) != 0:
			return false
		case s&biased != 0:
			if !rw.cas(s, s|wLock) {
				continue
			}
			x := rw.x.Load()
			switch n, _, _ := rw.inside(x); {
			case n <= 0:
				fatal(errUpgrade)
			case n > 1:
				rw.unclaim(x)
				return false
			}
			// Leave: from here on nobody is inside but phantoms.
			x.stripe().out.Add(1)
			var a attempt
			var contended bool
			rw.drain(x, &a, nil, &contended)
			rw.add(oneWrite)
		case s&activeMask != oneReader:
			return false
		case !rw.cas(s, s-oneReader+wLock+oneWrite):
			continue
		}
		if s&watched != 0 {
			rw.sampleHold(rw.x.Load())
		}
		return true
	}
}

// Upgrade turns the caller's read lock into a write lock. It waits until the other
// readers have left and keeps new ones out meanwhile; no writer gets in between, so
// what the caller has read still holds. A success counts as a write.
//
// It returns [ErrUpgradeConflict] at once if another goroutine already waits for
// the readers to leave, be it with Upgrade or with Lock: each would wait for the
// other. If ctx ends it returns an error that matches ctx.Err() and
// [context.Cause]. After either the caller still holds its read lock; after a
// conflict it should release it, and Lock if it still wants to write. A TryLock or a
// TryUpgrade that finds a reader inside may cause a conflict too while it looks. A ctx
// that is already done wins. A nil ctx panics. It ends the process if it finds rw
// without a reader.
func (rw *RWMutex) Upgrade(ctx context.Context) error {
	ctxerr.NotNil(ctx, "locks")
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if debugEnabled {
		defer debugWantUpgrade(rw)()
	}
	if raceEnabled {
		rw.enter()
	}
	conflict, ok := rw.upgrade(&limit{done: ctx.Done()})
	if raceEnabled {
		if ok {
			rw.writeLocked()
		} else {
			raceEnable()
		}
	}
	if debugEnabled && ok {
		debugConverted(rw, true)
	}
	switch {
	case ok:
		return nil
	case conflict:
		return ErrUpgradeConflict
	default:
		return ctxerr.From(ctx)
	}
}

//go:norace
func (rw *RWMutex) upgrade(l *limit) (conflict, ok bool) {
	var s uint64
	for {
		s = rw.load()
		if s&(closed|biased|activeMask) == 0 {
			fatal(errUpgrade)
		}
		if s&writerClosed != 0 {
			return true, false
		}
		if rw.cas(s, s|wLock) {
			break
		}
	}
	x := rw.extend()
	if s&readersAsleep != 0 {
		rw.letIn(x, true)
	}
	// The caller leaves: the claim keeps its place, and it waits for the others only.
	if s&biased != 0 {
		x.stripe().out.Add(1)
	} else {
		rw.add(^oneReader + 1)
	}
	var a attempt
	var contended bool
	if !rw.drain(x, &a, l, &contended) {
		rw.add(oneReader) // before anybody else can claim
		rw.unclaim(x)
		return false, false
	}
	rw.add(oneWrite)
	rw.claimed(x, &a, contended)
	return false, true
}
