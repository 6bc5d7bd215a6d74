package locks

import (
	"sync"
	"sync/atomic"
	"time"
)

// Sleeping and waking are the same for a SpinMutex and for the writers of an
// RWMutex. These bits of the state word are theirs, in both.
const (
	waiting uint64 = 1 << 1  // the queue is not empty
	woken   uint64 = 1 << 2  // a waiter taken from the queue is on its way to try again
	handoff uint64 = 1 << 62 // the next to open the lock hands it to the first in the queue; with woken: it did
)

// gate is the state word of a lock as sleepers see it.
type gate struct {
	state  *uint64 // atomic
	closed uint64  // with any of these bits nobody gets in; handoff is one
	held   uint64  // with any of these bits somebody will open the lock and call wakeNext
}

// parking is where goroutines that want a lock for themselves sleep until they may
// try to get it.
//
// The queue is empty, or the lock is held or being opened, or woken is set: somebody
// is due to look at the queue, so that no sleeper is forgotten.
type parking struct {
	mu sync.Mutex // held for a few instructions, never while waiting
	q  queue      // guarded by mu

	handoffs, canceled atomic.Uint64
}

// attempt is what one call of a lock method knows while it waits.
type attempt struct {
	w      *waiter // made by the first sleep
	token  bool    // this goroutine is the one that woken stands for
	handed bool    // and handoff too: nobody else gets in before it
}

// claim takes the caller's notes out of state s, as it gets the lock.
func (a *attempt) claim(s uint64) uint64 {
	if a.token {
		s &^= woken
		if a.handed && !a.w.chain {
			s &^= handoff
		}
	}
	return s
}

// A waiter that has been overtaken for so long, or has been woken in vain so many
// times, starves: the next unlock must hand the lock over to it. The time is the value
// of sync.Mutex. The number is for a testing/synctest bubble, whose clock stands
// while goroutines run: outside of it 1 ms passes sooner.
const (
	starving = time.Millisecond
	maxTries = 100
)

func (w *waiter) starves() bool {
	return w.tries >= maxTries || time.Since(w.start) > starving
}

// park puts the caller to sleep until it is its turn to try, and counts it in
// parked if this is its first sleep. It returns at once when the lock is not
// closed any more. It reports false when l has ended the wait.
//
//go:norace
func (p *parking) park(g gate, a *attempt, l *limit, parked *atomic.Uint64) bool {
	front, starves := a.w != nil, false
	if front {
		a.w.tries++
		starves = a.w.starves()
	} else {
		a.w = newWaiter()
	}
	if !p.enqueue(g, a, front, starves) {
		return true
	}
	if !front {
		parked.Add(1)
	}
	if !l.sleep(a.w) {
		p.abandon(g, a)
		return false
	}
	a.token, a.handed = true, a.w.granted
	return true
}

// enqueue adds the caller to the queue, at the front if it was there before, and
// gives its token back. It reports false if the lock is open, so that there is
// nothing to wait for.
//
//go:norace
func (p *parking) enqueue(g gate, a *attempt, front, starves bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		s := atomic.LoadUint64(g.state)
		if s&g.held == 0 && (s&g.closed == 0 || a.handed) {
			return false
		}
		n := s | waiting
		if a.token {
			n &^= woken
		}
		// Not while another is on its way: with woken, handoff is that one's.
		if starves && s&g.held != 0 && n&woken == 0 {
			n |= handoff
		}
		if atomic.CompareAndSwapUint64(g.state, s, n) {
			break
		}
	}
	a.token, a.handed = false, false
	if front {
		p.q.pushFront(a.w)
	} else {
		p.q.pushBack(a.w)
	}
	return true
}

// wakeNext sees to it that a sleeper which may go on does: if nobody holds the lock
// and no other is on its way, it wakes the first in the queue to try, or hands the
// lock to it if that was reserved.
//
// Handed over, the lock is kept for that waiter but not closed by it before it
// runs: the readers of an RWMutex need not wait for it to be scheduled
// (bench: locks/many/writes=1%, 18 times as slow if they do).
//
//go:norace
func (p *parking) wakeNext(g gate) {
	if s := atomic.LoadUint64(g.state); s&(g.held|woken) != 0 || s&(waiting|handoff) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		s := atomic.LoadUint64(g.state)
		if s&(g.held|woken) != 0 {
			return // its holder, or the waiter on its way, will come here
		}
		n, w := s|woken, p.q.head
		switch {
		case w == nil:
			n = s &^ (handoff | waiting)
		case w.next == nil:
			n &^= waiting
		}
		if !atomic.CompareAndSwapUint64(g.state, s, n) {
			continue
		}
		if w == nil {
			return
		}
		if w.granted = s&handoff != 0; w.granted {
			p.handoffs.Add(1)
			w.chain = w.next != nil && w.next.starves()
		}
		p.q.remove(w)
		w.signal()
		return
	}
}

// abandon takes the caller out of the queue, or passes on what reached it too late.
//
//go:norace
func (p *parking) abandon(g gate, a *attempt) {
	p.canceled.Add(1)
	p.mu.Lock()
	if a.w.queued {
		p.q.remove(a.w)
		if p.q.n == 0 {
			atomic.AndUint64(g.state, ^waiting)
		}
		p.mu.Unlock()
		return
	}
	notes := woken
	if a.w.granted {
		notes |= handoff
	}
	p.mu.Unlock()
	atomic.AndUint64(g.state, ^notes)
	p.wakeNext(g)
}
