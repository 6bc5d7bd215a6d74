package locks

import "time"

// lockSlow acquires for writing, waiting as long as l allows. A writer first
// claims wLock, which keeps newcomers out, and then waits for the readers inside.
//
//go:norace
func (rw *RWMutex) lockSlow(l *limit) bool {
	x := rw.extend()
	var a attempt
	contended := false
	for round := 0; ; {
		s := rw.load()
		if s&closed == 0 && (s&handoff == 0 || a.handed) {
			n := a.claim(s) | wLock
			empty := s&(activeMask|biased|readersAsleep) == 0
			if empty {
				n += oneWrite
			}
			if !rw.cas(s, n) {
				continue
			}
			if empty {
				break
			}
			if s&readersAsleep != 0 {
				rw.letIn(x, true)
			}
			if !rw.drain(x, &a, l, &contended) {
				rw.unclaim(x)
				return false
			}
			rw.add(oneWrite)
			break
		}
		contended = true
		if writerSpin.spin(&round) {
			continue
		}
		if !x.park(rw.gate(), &a, l, &x.writeParked) {
			x.waited(a.w, &x.histograms().write)
			return false
		}
		round = 0
	}
	rw.claimed(x, &a, contended)
	return true
}

// claimed records how the caller came to the write lock, which it holds.
//
//go:norace
func (rw *RWMutex) claimed(x *rwExt, a *attempt, contended bool) {
	if contended {
		x.writeContended.Add(1)
	}
	if a.w != nil {
		x.waited(a.w, &x.histograms().write)
	}
	if rw.load()&watched != 0 {
		rw.sampleHold(x)
	}
}

// drain waits, with wLock claimed, for the readers inside to leave. It reports false
// if l ends the wait; the caller must then give up its claim.
//
//go:norace
func (rw *RWMutex) drain(x *rwExt, a *attempt, l *limit, contended *bool) bool {
	for round := 0; ; {
		n, active, in := rw.inside(x)
		if n == 0 {
			rw.settle(x, active, in)
			return true
		}
		if n < 0 {
			fatal(errRUnlock)
		}
		*contended = true
		if readerSpin.spin(&round) {
			continue
		}
		if a.w == nil {
			a.w = newWaiter()
			x.writeParked.Add(1)
		}
		if !rw.joinDrain(x, a.w) {
			continue
		}
		if l.sleep(a.w) {
			continue
		}
		x.mu.Lock()
		if x.drainer == a.w {
			x.drainer = nil
			rw.and(^drainParked)
		}
		x.mu.Unlock()
		x.canceled.Add(1)
		x.waited(a.w, &x.histograms().write)
		return false
	}
}

// joinDrain makes w the writer that the last reader wakes. It reports false if none is
// inside any more, or fewer than none: then nobody may be left to wake it.
//
//go:norace
func (rw *RWMutex) joinDrain(x *rwExt, w *waiter) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drainer = w
	rw.or(drainParked)
	if n, _, _ := rw.inside(x); n > 0 {
		return true
	}
	x.drainer = nil
	rw.and(^drainParked)
	return false
}

// wakeDrainer wakes the writer that sleeps in drain if the last reader has left.
//
//go:norace
func (rw *RWMutex) wakeDrainer(x *rwExt) {
	// The caller has counted itself out, and nobody gets in any more: of several who
	// leave at once, the one that counted itself out last sees nobody inside.
	if n, _, _ := rw.inside(x); n > 0 {
		return
	}
	x.mu.Lock()
	if d := x.drainer; d != nil {
		x.drainer = nil
		rw.and(^drainParked)
		d.signal()
	}
	x.mu.Unlock()
}

// tryLock acquires for writing if nobody is inside.
//
//go:norace
func (rw *RWMutex) tryLock() bool {
	for {
		s := rw.load()
		switch {
		case s&(writerClosed|readersAsleep) != 0:
			return false
		case s&biased != 0:
			if !rw.cas(s, s|wLock) {
				continue
			}
			x := rw.x.Load()
			n, active, in := rw.inside(x)
			if n < 0 {
				fatal(errRUnlock)
			}
			if n > 0 {
				rw.unclaim(x)
				return false
			}
			rw.settle(x, active, in)
			rw.add(oneWrite)
		case s&activeMask != 0:
			return false
		case !rw.cas(s, s+(wLock|oneWrite)):
			continue
		}
		if s&watched != 0 {
			rw.sampleHold(rw.x.Load())
		}
		return true
	}
}

// unlockSlow finishes an Unlock or a Downgrade that left state s: it reports
// misuse, folds the counts, and lets in or wakes the waiters.
//
//go:norace
func (rw *RWMutex) unlockSlow(s uint64, misuse string) {
	if s&wLock != 0 {
		fatal(misuse)
	}
	x := rw.x.Load()
	if s&sampled != 0 {
		d := time.Since(x.since) // before sampled, which guards it, is given up
		rw.and(^sampled)
		x.histograms().hold.Record(d)
	}
	if s&(writesFull|readsFull) != 0 {
		rw.fold()
	}
	if x != nil {
		rw.opened(x)
	}
}

// unclaim gives up wLock without having written.
//
//go:norace
func (rw *RWMutex) unclaim(x *rwExt) {
	rw.add(wLock) // flips it
	rw.opened(x)
}

// sampleHold starts the clock for every n'th writer. The caller holds rw.
//
//go:norace
func (rw *RWMutex) sampleHold(x *rwExt) {
	o := x.opts.Load()
	if o == nil || o.HoldSampling <= 0 {
		return
	}
	if x.tick++; x.tick%uint64(o.HoldSampling) == 0 {
		x.since = time.Now()
		rw.or(sampled)
	}
}
