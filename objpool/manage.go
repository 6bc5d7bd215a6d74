package objpool

import "fmt"

// Prewarm makes up to n objects with New and retains them, as far as there is room,
// and returns how many it added. It adds none for n of 0 or less and on a closed
// pool. If New or Size panics, so does Prewarm; what was made by then stays. It never
// stops the world: room that other processors keep for themselves does not count.
func (p *Pool[T]) Prewarm(n int) (added int) {
	if n <= 0 {
		return 0
	}
	p.mu.Lock()
	p.prepare()
	if p.closed {
		p.mu.Unlock()
		return 0
	}
	c := &p.central
	if c.lent > 0 && n > c.room() { // this P and the portable engine give back at once
		if m := p.mags.enter(); m != p.mags.none {
			c.takeBack(m)
			p.leave(m)
		} else {
			p.mags.exit(m)
		}
		p.mags.recall(c, nil, func(int, int) bool { return true })
		p.setQuick()
	}
	n = min(n, c.room())
	c.reserved += n
	p.mu.Unlock()

	defer func() { // promised, but New panicked
		p.mu.Lock()
		c.reserved -= n
		p.mu.Unlock()
	}()
	for n > 0 {
		ok := p.addNew(p.cfg.New(), &n)
		if !ok {
			break
		}
		added++
	}
	return added
}

// addNew adds an object of Prewarm into room that is reserved for it.
func (p *Pool[T]) addNew(v T, reserved *int) bool {
	if p.nilable && isNil(&v) {
		return false
	}
	size := p.sizeOfNew(v)
	if p.dbg != nil && !p.dbg.enter(v) {
		p.dbg.reportDoublePut(v)
		return false
	}
	p.mu.Lock()
	*reserved--
	p.central.reserved--
	p.books.prewarmed++
	fits := !p.closed && p.central.roomForPromised() &&
		(p.cfg.MaxBytes == 0 || size <= p.cfg.MaxBytes-p.central.bytes)
	if fits {
		p.central.push(v, size)
		p.armIdle()
	} else { // Resize or Close was faster, or the bytes are used up
		p.books.discards[ReasonTrimmed]++
	}
	p.mu.Unlock()
	if !fits {
		p.refuse(v, ReasonTrimmed)
	}
	return fits
}

// sizeOfNew is sizeOf for an object of Prewarm, which is discarded if Size does not
// return.
func (p *Pool[T]) sizeOfNew(v T) (n int64) {
	known := false
	defer func() {
		if known {
			return
		}
		p.mu.Lock()
		p.books.prewarmed++
		p.books.discards[ReasonTrimmed]++
		p.mu.Unlock()
		p.discarded(v, ReasonTrimmed)
	}()
	n = p.sizeOf(v)
	known = true
	return n
}

// Resize sets the bound on retained objects. If more are retained, the oldest are
// discarded. A negative bound, 0, or one above 2^30 is an error, and so is a closed
// pool ([ErrClosed]); nothing changes then. It stops the world once if any processor
// keeps objects or room (see the package's documentation).
func (p *Pool[T]) Resize(max int) error {
	switch {
	case max <= 0:
		return fmt.Errorf("objpool: Max %d is not positive", max)
	case max > maxMax:
		return fmt.Errorf("objpool: Max %d exceeds %d", max, maxMax)
	}
	p.mu.Lock()
	p.prepare()
	if p.closed {
		p.mu.Unlock()
		return fmt.Errorf("%w: Resize of pool %q", ErrClosed, p.cfg.Name)
	}
	p.gather()
	p.setMax(max)
	out := p.drop(len(p.central.items)-max, ReasonResized)
	p.mu.Unlock()
	p.discardAll(out, ReasonResized)
	return nil
}

// Trim discards up to n retained objects, the oldest first, and returns how many.
// It discards none for n of 0 or less. Those that processors keep for themselves are
// discarded last, and only to get at them it stops the world, once.
func (p *Pool[T]) Trim(n int) int {
	return p.shrink(n, ReasonTrimmed)
}

// Clear discards all objects that are retained when it is called and returns how
// many. Objects in use are not affected. It stops the world once if any processor keeps
// objects or room.
func (p *Pool[T]) Clear() int {
	return p.shrink(maxMax, ReasonCleared)
}

func (p *Pool[T]) shrink(n int, r Reason) int {
	if n <= 0 {
		return 0
	}
	p.mu.Lock()
	if n > len(p.central.items) {
		p.gather()
	}
	out := p.drop(n, r)
	p.mu.Unlock()
	p.discardAll(out, r)
	return len(out)
}

// drop takes up to n of the central objects out and counts them as r. The caller
// holds mu, and calls discardAll without it.
func (p *Pool[T]) drop(n int, r Reason) []T {
	n = max(min(n, len(p.central.items)), 0)
	p.books.discards[r] += uint64(n)
	return p.central.dropOldest(n)
}

func (p *Pool[T]) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close discards all retained objects and does not wait for those in use. From then on
// it discards every object that is put back; Get goes on to return new objects, so that
// what is under way can end. Close returns a *[PanicError] if OnDiscard panicked
// in a discard for IdleTimeout, else nil. More calls do nothing and return the same, or
// the *PanicError of such a discard that was still under way. Close
// stops the world once if any processor keeps objects or room.
func (p *Pool[T]) Close() error {
	p.mu.Lock()
	err := p.idle.err
	if p.closed {
		p.mu.Unlock()
		return err
	}
	p.closed = true
	p.magCap = 0 // nothing is lent any more
	p.stopIdle()
	p.gather()
	out := p.drop(maxMax, ReasonCleared)
	p.mu.Unlock()
	p.discardAll(out, ReasonCleared)
	return err
}
