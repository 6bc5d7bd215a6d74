package connpool

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// limiter shares slots among the pools of a Keyed. Of each pool it knows its share alone.
//
// A pool that has a waiter and finds no slot free stands in line: the
// one with the fewest slots first, of equals the one that has stood longest. A free
// slot is for the first in line alone, so that slots spread evenly over the keys
// that wait. A pool that lacks a slot gets it from a connection that another key does not
// need, and only if there is none from one that it does need:
//
//   - at once from one that has been idle for minIdleAge;
//   - a pool that has no slot at all, from any idle one of the key used least recently;
//   - a pool that has stood in line for keyGrace, in which one of its own connections
//     might have come back, from an idle one of a key that has more slots, or from one
//     that has been idle for keyGrace;
//   - then, too, from one that comes back although its own key has waiters: if that
//     key has two slots more, or the pool none.
//
// What comes back is taken only if it has served its key for keyTurn: a slot moves at
// most once in keyTurn.
type limiter struct {
	base time.Time // where the limiter's clock starts

	asked atomic.Int64 // calls of settle that the one under way must answer

	mu       sync.Mutex // a leaf: held inside Pool.mu; guards all below, and its part of every share
	max      int
	used     int         // slots
	promised int         // connections being closed for those in line; below 0 for a moment, see evict
	urgent   int         // pools in line that are urgent: without a slot, or there for keyGrace
	raised   bool        // gateShort is up in every pool that has a slot
	line     shareHeap   // pools that lack a slot
	spenders shareHeap   // pools that have a slot, by their last use
	timer    *time.Timer // calls tick, at:
	timerAt  time.Duration
}

const (
	keyGrace   = 50 * time.Millisecond
	keyTurn    = 10 * time.Millisecond
	minIdleAge = time.Second
)

func newLimiter(max int) *limiter {
	return &limiter{
		max: max, base: time.Now(),
		line: shareHeap{
			less: func(a, b *share) bool {
				return cmp.Or(cmp.Compare(a.slots, b.slots), cmp.Compare(a.since, b.since)) < 0
			},
			place: func(s *share) *int { return &s.inLine },
		},
		spenders: shareHeap{
			less:  func(a, b *share) bool { return a.placed < b.placed },
			place: func(s *share) *int { return &s.spender },
		},
	}
}

func (l *limiter) now() time.Duration { return time.Since(l.base) }

// take takes a slot for s. If there is none, it reports false, and s stands in line
// if a waiter needs the slot.
func (l *limiter) take(s *share, waits bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ahead := l.line.first()
	first := ahead == nil || ahead == s || waits && !l.line.has(s) && s.slots < ahead.slots
	if l.used >= l.max || !first {
		if waits && !l.line.has(s) {
			s.since, s.urgent = l.now(), s.slots == 0
			if s.urgent {
				l.urgent++
			}
			l.line.push(s)
			l.armLocked(duration.Add(s.since, keyGrace))
		}
		return false
	}
	l.removeLocked(s)
	l.used++
	s.slots++
	if !l.spenders.has(s) {
		s.placed = s.used.Load()
		l.spenders.push(s)
		s.gate.set(gateShort, l.raised)
	}
	return true
}

// leave takes s, which lacks nothing any more, out of the line.
func (l *limiter) leave(s *share) {
	l.mu.Lock()
	l.removeLocked(s)
	l.mu.Unlock()
}

func (l *limiter) removeLocked(s *share) {
	l.line.remove(s)
	if s.urgent {
		s.urgent = false
		l.urgent--
	}
}

// give takes back n slots of s, of which so many had been promised.
func (l *limiter) give(s *share, n, promised int) {
	l.mu.Lock()
	l.used -= n
	l.promised -= promised
	s.slots -= n
	if s.slots == 0 {
		l.spenders.remove(s)
		if l.line.has(s) && !s.urgent {
			s.urgent = true
			l.urgent++
		}
	}
	l.line.fix(s)
	l.mu.Unlock()
}

// lackingLocked returns how many pools in line, or urgent ones, have neither a free
// slot nor a promised one to expect.
func (l *limiter) lackingLocked(urgent bool) int {
	n := l.line.Len()
	if urgent {
		n = l.urgent
	}
	return n - (l.max - l.used) - l.promised
}

// yields reports whether a connection of s that has just become idle, or would
// serve a waiter of s, is to be closed for the first in line, and promises it. If it
// is not, it may have to be later: one reading of the clock decides which.
func (l *limiter) yields(s *share, age time.Duration, waiting bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.line.first()
	if l.lackingLocked(true) <= 0 || first == s {
		return false
	}
	now := l.now()
	have, want := s.slots, first.slots
	switch {
	case waiting && (now-first.since < keyTurn || want > 0 && have < want+2):
		return false // the next that comes back asks again
	case !waiting && want > 0 && have <= want:
		l.armLocked(duration.Add(now, keyGrace))
		return false
	case age < keyTurn:
		if !waiting {
			l.armLocked(duration.Add(now, keyTurn-age))
		}
		return false
	}
	l.promised++
	return true
}

// unpromise takes back what yields promised.
func (l *limiter) unpromise() {
	l.mu.Lock()
	l.promised--
	l.mu.Unlock()
}

// armLocked has tick called at the given time, or earlier.
func (l *limiter) armLocked(at time.Duration) {
	if l.timer != nil {
		if l.timerAt <= at {
			return
		}
		l.timer.Stop()
	}
	l.timerAt = at
	l.timer = time.AfterFunc(at-l.now(), l.tick)
}

// tick finds the pools that have become urgent, and when the next will. One reading of the
// clock decides both.
func (l *limiter) tick() {
	l.mu.Lock()
	l.timer = nil
	now := l.now()
	for _, s := range l.line.all {
		switch {
		case s.urgent:
		case now-s.since >= keyGrace:
			s.urgent = true
			l.urgent++
		default:
			l.armLocked(duration.Add(s.since, keyGrace))
		}
	}
	l.mu.Unlock()
	l.settle()
}

// settle is called, outside all locks, after the line or the slots have changed. One
// call at a time does the work, and works again for those that came meanwhile.
func (l *limiter) settle() {
	if l.asked.Add(1) > 1 {
		return
	}
	for {
		seen := l.asked.Load()
		l.settleOnce()
		if l.asked.CompareAndSwap(seen, 0) {
			return
		}
	}
}

func (l *limiter) settleOnce() {
	// Free slots, to the first in line. It takes one, or leaves the line.
	for s := l.firstServed(); s != nil; s = l.firstServed() {
		s.pool.poke()
	}
	for l.lacks(false) && l.evictOld() {
	}
	for l.lacks(true) && l.evictUrgent() {
	}
	if !l.setGates() {
		return
	}
	// Dekker's pattern: a releaser goes idle, then reads the gate; this raises the
	// gate, then looks for the idle once more.
	for l.lacks(true) && l.evictUrgent() {
	}
}

// firstServed returns the first in line if a slot is free for it.
func (l *limiter) firstServed() *share {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used < l.max {
		return l.line.first()
	}
	return nil
}

func (l *limiter) lacks(urgent bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lackingLocked(urgent) > 0
}

// setGates makes the gates of all pools that have a slot say whether an urgent pool
// lacks one, and reports whether it raised them.
func (l *limiter) setGates() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := l.lackingLocked(true) > 0
	if want == l.raised {
		return false
	}
	l.raised = want
	for _, s := range l.spenders.all {
		s.gate.set(gateShort, want)
	}
	return want
}

// spent describes how the slots are spent, the largest shares first, at most n.
func (l *limiter) spent(n int) (max, used int, shares []KeyShare) {
	l.mu.Lock()
	spenders := slices.Clone(l.spenders.all)
	slices.SortFunc(spenders, func(a, b *share) int { return cmp.Compare(b.slots, a.slots) })
	spenders = spenders[:min(n, len(spenders))]
	for _, s := range spenders {
		shares = append(shares, KeyShare{Open: s.slots})
	}
	max, used = l.max, l.used
	l.mu.Unlock()
	for i, s := range spenders {
		shares[i].Key = s.name() // calls String of the user's key: with no lock held
	}
	return max, used, shares
}
