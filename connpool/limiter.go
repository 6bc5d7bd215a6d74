package connpool

import "sync"

// limiter shares slots among the pools of a Keyed.
type limiter[C any] struct {
	// evict closes one idle connection of the pool that was used least recently,
	// and reports false if there is none. It runs outside all locks.
	evict func() bool
	// each calls f for every pool.
	each func(f func(*Pool[C]))

	mu       sync.Mutex // a leaf: held inside Pool.mu
	max      int
	used     int
	short    []*Pool[C] // pools that found no slot, oldest first
	evicting int        // connections being closed for them
}

// take takes a slot for p, or notes that p lacks one.
func (l *limiter[C]) take(p *Pool[C]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used < l.max {
		l.used++
		return true
	}
	for _, o := range l.short {
		if o == p {
			return false
		}
	}
	l.short = append(l.short, p)
	return false
}

// give gives n slots back and lets those who lack one try again, oldest first.
func (l *limiter[C]) give(n int) {
	l.mu.Lock()
	l.used -= n
	l.evicting = max(l.evicting-n, 0)
	short := l.short
	l.short = nil
	l.mu.Unlock()
	for _, p := range short {
		p.poke()
	}
	if len(short) > 0 && !l.lacking() {
		l.each(func(p *Pool[C]) { p.setGate(gateShort, false) })
		if l.lacking() { // again since: the gates must be up
			l.each(func(p *Pool[C]) { p.setGate(gateShort, true) })
		}
	}
}

func (l *limiter[C]) lacking() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.short) > 0
}

// wants reports whether a connection that just became idle should be closed for
// the sake of another pool, and counts it as being closed.
func (l *limiter[C]) wants() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.short) <= l.evicting {
		return false
	}
	l.evicting++
	return true
}

// reclaim finds slots for the pools that lack one: among idle connections now, and
// by the gate among those that become idle later.
func (l *limiter[C]) reclaim() {
	l.each(func(p *Pool[C]) { p.setGate(gateShort, true) })
	for l.wants() {
		if !l.evict() {
			l.mu.Lock()
			l.evicting--
			l.mu.Unlock()
			return
		}
	}
}

// evictIdle closes one idle connection, and reports false if there is none.
func (p *Pool[C]) evictIdle(why Reason) bool {
	p.mu.Lock()
	defer p.unlock()
	conns := *p.conns.Load()
	for i := len(conns) - 1; i >= 0; i-- {
		if p.retireIdleLocked(conns[i], why, nil) {
			return true
		}
	}
	return false
}

// activity returns a number that changes when the pool is used, and whether its
// last dial failed.
func (p *Pool[C]) activity() (n uint64, failing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = p.n.usesGone + p.n.dials
	for _, e := range *p.conns.Load() {
		n += e.word.Load() >> useShift
	}
	return n, p.guard.failures > 0
}

// closeIfEmpty closes the pool if it has no connection and nothing to do.
func (p *Pool[C]) closeIfEmpty() bool {
	p.mu.Lock()
	defer p.unlock()
	if p.openLocked() > 0 || p.tasks > 0 || p.queue.n > 0 || len(p.warmers) > 0 {
		return false
	}
	p.startCloseLocked()
	return true
}
