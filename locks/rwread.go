package locks

import "github.com/poundlock/poundlock/internal/rt"

// rLockSlow is where RLock goes when the lock is biased or closed, or when a
// count wants folding. s is the state that RLock saw; unless that is moded, RLock
// has already added itself.
//
//go:norace
func (rw *RWMutex) rLockSlow(s uint64) {
	switch {
	case s&(closed|biased) == biased:
		// enterStripe by hand: the calls would cost as much as the work
		// (BenchmarkMixed/writes=0%).
		id := rt.Thread()
		cells := rw.x.Load().cells
		c := &cells[id&(len(cells)-1)]
		c.in.Add(1)
		if rw.load()&(closed|biased) != biased {
			rw.exitStripe(rw.x.Load(), c)
			rw.rLockWait(nil, false)
		} else if id == 0 {
			rt.NumberThread()
		}
	case s < moded:
		// Counted in active and with the lock open, the caller is inside: a writer
		// that claims the lock from here on waits for it. That the lock may have
		// been closed when the caller added itself does not matter.
		if s = rw.load(); s&closed == 0 {
			if s&(readsFull|activeFull) != 0 {
				rw.foldReads(s)
			}
			return
		}
		x := rw.extend()
		x.undone.Add(1)
		rw.leave(x)
		rw.rLockWait(nil, true)
	default:
		rw.rLockWait(nil, false)
	}
}

// rLockWait acquires for reading, waiting as long as l allows.
//
//go:norace
func (rw *RWMutex) rLockWait(l *limit, contended bool) bool {
	x := rw.extend()
	var w *waiter
	round := 0
	for {
		s := rw.load()
		if s&closed == 0 {
			if s&biased != 0 {
				if rw.enterStripe(x) {
					break
				}
				continue
			}
			n := s + (oneReader | oneRead)
			if !rw.cas(s, n) {
				continue
			}
			if n&(readsFull|activeFull) != 0 {
				rw.foldReads(n)
			}
			break
		}
		contended = true
		if !x.sleepsEarly(s) && readerSpin.spin(&round) {
			continue
		}
		if w == nil {
			w = newWaiter()
		}
		if !rw.joinReaders(x, w) {
			continue
		}
		ok := l.sleep(w)
		x.waited(w, &x.histograms().read)
		if !ok {
			rw.leaveReaders(x, w)
			return false
		}
		rw.add(oneRead)
		x.readContended.Add(1)
		return true
	}
	if contended {
		x.readContended.Add(1)
		if round > 0 {
			x.pace.learn(round)
		}
	}
	return true
}

// tryRLock acquires for reading if the lock is open and has room for a reader.
//
//go:norace
func (rw *RWMutex) tryRLock() bool {
	for {
		s := rw.load()
		switch {
		case s&closed != 0:
			return false
		case s&biased != 0:
			if rw.enterStripe(rw.x.Load()) {
				return true
			}
		case (s+oneReader)&activeFull != 0:
			return false // one more would be too many
		case rw.cas(s, s+(oneReader|oneRead)):
			if s&(readsFull|activeFull) != 0 {
				rw.foldReads(s)
			}
			return true
		}
	}
}

// rUnlockSlow is where RUnlock goes when the lock is biased, when a writer waits,
// or when there was nothing to unlock. w is the word that RUnlock saw; unless it has
// striped, RUnlock has already subtracted itself.
//
//go:norace
func (rw *RWMutex) rUnlockSlow(w uint64) {
	s := rw.load()
	if w >= striped && s&biased != 0 {
		cells := rw.x.Load().cells
		cells[rt.Thread()&(len(cells)-1)].out.Add(1)
		// The writer sets drainParked and then sums; the caller counts itself out
		// and then looks. One of the two sees the other.
		if rw.load()&drainParked != 0 {
			rw.wakeDrainer(rw.x.Load())
		}
		return
	}
	if w >= striped {
		s = rw.add(^oneReader + 1)
	}
	if s&activeFull != 0 {
		fatal(errRUnlock)
	}
	if s&drainParked != 0 {
		rw.wakeDrainer(rw.x.Load())
	}
}

// leave takes the caller, a phantom or a reader, out of active.
//
//go:norace
func (rw *RWMutex) leave(x *rwExt) {
	if s := rw.add(^oneReader + 1); s&drainParked != 0 {
		rw.wakeDrainer(x)
	}
}

// foldReads folds and, as it is called once in 8192 reads, chooses the mode.
//
//go:norace
func (rw *RWMutex) foldReads(s uint64) {
	if s&activeFull != 0 {
		fatal(errReaders)
	}
	reads, writes := rw.fold()
	if s&(biased|unbiasable) == 0 {
		rw.considerBias(reads, writes)
	}
}
