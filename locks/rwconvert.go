package locks

import "unsafe"

// Downgrade turns the caller's write lock into a read lock. No writer gets in
// between; waiting readers may join. It counts as a read and is undone with
// RUnlock. It ends the process if rw is not locked for writing.
func (rw *RWMutex) Downgrade() {
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
			if n, _, _ := rw.inside(x); n != 1 {
				rw.unclaim(x)
				return false
			}
			// Leave: from here on nobody is inside but phantoms.
			x.stripe().out.Add(1)
			var a attempt
			var contended bool
			rw.drain(x, &a, nil, &contended)
			rw.add(oneWrite)
			return true
		case s&activeMask != oneReader:
			return false
		case rw.cas(s, s-oneReader+wLock+oneWrite):
			return true
		}
	}
}
