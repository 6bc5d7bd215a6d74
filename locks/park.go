package locks

import (
	"sync"
	"sync/atomic"
	"time"
)

// Sleeping and waking are the same for every lock of this package. These bits of
// the state word are theirs, in all of them.
const (
	waiting uint64 = 1 << 1  // the queue is not empty
	woken   uint64 = 1 << 2  // a waiter taken from the queue is on its way to try again
	handoff uint64 = 1 << 62 // the next to open the lock hands it to the first in the queue
)

// gate is the state word of a lock as sleepers see it.
type gate struct {
	state  *uint64 // atomic
	closed uint64  // with any of these bits nobody gets in; handoff is one
	held   uint64  // with any of these bits somebody will open the lock and call wakeNext
	own    uint64  // what the owner of the lock has added
}

// parking is where goroutines sleep until they may try to get the lock.
//
// The queue is empty, or the lock is closed, or woken is set: somebody is due to
// look at the queue, so that no sleeper is forgotten.
type parking struct {
	mu sync.Mutex // held for a few instructions, never while waiting
	q  queue      // guarded by mu

	handoffs, canceled atomic.Uint64
}

// attempt is what one call of a lock method knows while it waits.
type attempt struct {
	w     *waiter // made by the first sleep
	token bool    // this goroutine is the one that woken stands for
	start time.Time
}

// starving is how long a waiter may be overtaken before whoever opens the lock
// must hand it over. It is the value of sync.Mutex.
const starving = time.Millisecond

// What a sleep ended with.
type woke int

const (
	retry   woke = iota // try again; a.token may be set
	granted             // a writer owns the lock, a reader is in active
	gaveUp              // the limit was reached: call abandon
)

// park puts the caller to sleep until it is its turn to try, and counts it in
// parked if this is its first sleep. It returns retry at once when the lock is not
// closed any more.
//
//go:norace
func (p *parking) park(g gate, a *attempt, l *limit, reader bool, parked *atomic.Uint64) woke {
	front, starved := a.w != nil, false
	if front {
		starved = time.Since(a.start) > starving
	} else {
		a.w = newWaiter(reader)
		a.start = time.Now()
	}
	if !p.enqueue(g, a, front, starved) {
		return retry
	}
	if !front {
		parked.Add(1)
	}
	if !l.sleep(a.w) {
		return gaveUp
	}
	if a.w.granted {
		return granted
	}
	a.token = true
	return retry
}

// enqueue adds the caller to the queue, at the front if it was there before, and
// gives its token back. It reports false if the lock is open, so that there is
// nothing to wait for.
//
//go:norace
func (p *parking) enqueue(g gate, a *attempt, front, starved bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		s := atomic.LoadUint64(g.state)
		if s&g.closed == 0 {
			return false
		}
		n := s | waiting
		if a.token {
			n &^= woken
		}
		if starved && s&g.held != 0 {
			n |= handoff
		}
		if atomic.CompareAndSwapUint64(g.state, s, n) {
			break
		}
	}
	a.token = false
	if front {
		p.q.pushFront(a.w)
	} else {
		p.q.pushBack(a.w)
	}
	return true
}

// wakeNext sees to it that a sleeper which may go on does: the first in the queue
// is given the lock if that was reserved for it, or woken to try if nobody holds
// the lock and no other is on its way.
//
//go:norace
func (p *parking) wakeNext(g gate) {
	if s := atomic.LoadUint64(g.state); s&g.held != 0 || s&(waiting|handoff) == 0 || s&(woken|handoff) == woken {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		s := atomic.LoadUint64(g.state)
		if s&g.held != 0 {
			return // who opens it will come here
		}
		n, grant, w := s, 0, p.q.head
		switch {
		case w == nil:
			n &^= handoff | waiting
		case s&handoff != 0 && !w.reader:
			n, grant = (n+g.own)&^handoff, 1
		case s&handoff != 0:
			for r := w; r != nil && r.reader; r = r.next {
				n, grant = n+oneReader, grant+1
			}
			n &^= handoff
		case s&woken == 0:
			n |= woken
		default:
			return
		}
		if w != nil && max(grant, 1) == p.q.n {
			n &^= waiting
		}
		if !atomic.CompareAndSwapUint64(g.state, s, n) {
			continue
		}
		if w == nil {
			return
		}
		p.handoffs.Add(uint64(grant))
		reader := w.reader
		for i := range max(grant, 1) {
			w := p.q.head
			p.q.remove(w)
			w.granted = i < grant
			w.signal()
		}
		if grant == 0 || !reader {
			return
		}
		// Readers were let in: the next in the queue must be woken too.
	}
}

// abandon takes the caller out of the queue, or passes on the wake-up that reached
// it too late. It reports whether it was the lock that did: the caller must give
// it up.
//
//go:norace
func (p *parking) abandon(g gate, a *attempt) (hasLock bool) {
	p.canceled.Add(1)
	p.mu.Lock()
	if a.w.queued {
		p.q.remove(a.w)
		if p.q.n == 0 {
			atomic.AndUint64(g.state, ^waiting)
		}
		p.mu.Unlock()
		return false // the lock is closed: who opens it looks at the queue
	}
	hasLock = a.w.granted
	p.mu.Unlock()
	if !hasLock {
		atomic.AndUint64(g.state, ^woken)
		p.wakeNext(g)
	}
	return hasLock
}
