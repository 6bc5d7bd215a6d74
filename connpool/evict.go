package connpool

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// Which idle connections the limiter takes for those in line.

// evictOld closes a connection that has been idle for minIdleAge, of the key that
// was used least recently. It reports false if there is none.
func (l *limiter) evictOld() bool {
	s := l.leastUsed()
	return s != nil && l.evict(s, minIdleAge)
}

// evictUrgent closes an idle connection for the first in line.
func (l *limiter) evictUrgent() bool {
	l.mu.Lock()
	want := 0
	var richer, others []*share
	if first := l.line.first(); first != nil && first.slots > 0 {
		want = first.slots
		for _, s := range l.spenders.all {
			switch {
			case s == first || s.idle.count(stateIdle) == 0:
			case s.slots > want:
				richer = append(richer, s)
			default:
				others = append(others, s)
			}
		}
	}
	l.mu.Unlock()
	if want == 0 {
		for s := l.leastUsed(); s != nil; s = l.leastUsed() {
			if l.evict(s, 0) {
				return true
			}
		}
		return false
	}
	for _, s := range richer {
		if l.evict(s, 0) {
			return true
		}
	}
	for _, s := range others {
		if l.evict(s, keyGrace) {
			return true
		}
	}
	if len(others) > 0 { // too young
		l.mu.Lock()
		l.armLocked(duration.Add(l.now(), keyGrace))
		l.mu.Unlock()
	}
	return false
}

// evict closes a connection of s that has been idle for the given time. It reports
// false if there is none.
func (l *limiter) evict(s *share, idle time.Duration) bool {
	if !s.pool.evictIdle(ByKeyLimit, idle) {
		return false
	}
	// Its slot may have come back already: then promised was one less than nothing for
	// as long as one more slot was free.
	l.mu.Lock()
	l.promised++
	l.mu.Unlock()
	return true
}

// leastUsed returns the pool that was used least recently of those that have an
// idle connection. Mostly it is the first of the heap, which costs the logarithm of
// the number of pools.
func (l *limiter) leastUsed() *share {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.spenders.first()
	for first != nil { // placed is the past: move those down that were used since
		used := first.used.Load()
		if used == first.placed {
			break
		}
		first.placed = used
		l.spenders.fix(first)
		first = l.spenders.first()
	}
	if first != nil && first.idle.count(stateIdle) > 0 {
		return first
	}
	var least *share
	for _, s := range l.spenders.all {
		if (least == nil || s.used.Load() < least.used.Load()) && s.idle.count(stateIdle) > 0 {
			least = s
		}
	}
	return least
}

// stealOld makes a free slot of a connection that has been idle for long, for a
// later call that does not wait.
func (l *limiter) stealOld() {
	l.mu.Lock()
	enough := l.used < l.max || l.promised > 0
	l.mu.Unlock()
	if !enough {
		l.evictOld()
	}
}

// evictIdle closes one connection that has been idle for so long, and reports false
// if there is none.
func (p *Pool[C]) evictIdle(why Reason, age time.Duration) bool {
	p.mu.Lock()
	defer p.unlock()
	return p.core.closing.evictIdle(p.core.clock.now(), why, age)
}
