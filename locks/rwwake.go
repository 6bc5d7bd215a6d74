package locks

import (
	"time"

	"github.com/poundlock/poundlock/internal/rt"
)

// attempt is what one call of Lock or RLock knows while it waits.
type attempt struct {
	w     *waiter // made by the first sleep
	token bool    // this goroutine is the one that woken stands for
	start time.Time
}

// spinRounds is how often a newcomer looks again, spinRound PAUSEs apart, before
// it sleeps: sync.Mutex's numbers.
const (
	spinRounds = 4
	spinRound  = 30
)

// spin spends one round of waiting awake if the runtime thinks that it pays.
func spin(round *int) bool {
	if *round >= spinRounds || !rt.CanSpin(*round) {
		return false
	}
	rt.ProcYield(spinRound)
	*round++
	return true
}

// What a sleep ended with.
type woke int

const (
	retry   woke = iota // try again; a.token may be set
	granted             // a writer owns wLock, a reader is in active
	gaveUp              // the limit was reached; everything is undone
)

// park puts the caller to sleep until it is its turn to try. It returns retry at
// once when the lock is not closed any more.
//
//go:norace
func (rw *RWMutex) park(x *rwExt, a *attempt, l *limit, reader bool) woke {
	front, starved := a.w != nil, false
	if front {
		starved = time.Since(a.start) > starving
	} else {
		a.w = newWaiter(reader)
		a.start = time.Now()
	}
	if !rw.enqueue(x, a, front, starved) {
		return retry
	}
	if !front {
		if reader {
			x.readParked.Add(1)
		} else {
			x.writeParked.Add(1)
		}
	}
	if !l.sleep(a.w) {
		rw.abandon(x, a)
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
func (rw *RWMutex) enqueue(x *rwExt, a *attempt, front, starved bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		s := rw.load()
		if s&closed == 0 {
			return false
		}
		n := s | waiting
		if a.token {
			n &^= woken
		}
		if starved && s&wLock != 0 {
			n |= handoff
		}
		if rw.cas(s, n) {
			break
		}
	}
	a.token = false
	if front {
		x.q.pushFront(a.w)
	} else {
		x.q.pushBack(a.w)
	}
	return true
}

// wakeNext sees to it that a sleeper which may go on does: the first in the queue
// is given the lock if that was reserved for it, or woken to try if nobody holds
// the lock and no other is on its way.
//
//go:norace
func (rw *RWMutex) wakeNext(x *rwExt) {
	if s := rw.load(); s&wLock != 0 || s&(waiting|handoff) == 0 || s&(woken|handoff) == woken {
		return
	}
	x.mu.Lock()
	for {
		s := rw.load()
		if s&(wLock|sampled) != 0 {
			break // its owner will come here
		}
		n, grant, w := s, 0, x.q.head
		switch {
		case w == nil:
			n &^= handoff | waiting
		case s&handoff != 0 && !w.reader:
			n, grant = (n|wLock)&^handoff, 1
		case s&handoff != 0:
			for r := w; r != nil && r.reader; r = r.next {
				n, grant = n+oneReader, grant+1
			}
			n &^= handoff
		case s&woken == 0:
			n |= woken
		default:
			x.mu.Unlock()
			return
		}
		if leaves := max(grant, 1); w != nil && leaves == x.q.n {
			n &^= waiting
		}
		if !rw.cas(s, n) {
			continue
		}
		if w == nil {
			break
		}
		x.handoffs.Add(uint64(grant))
		for i := range max(grant, 1) {
			w := x.q.head
			x.q.remove(w)
			w.granted = i < grant
			w.signal()
		}
		if grant == 0 || n&wLock != 0 {
			break
		}
		// Readers were let in: the next in the queue must be woken too.
	}
	x.mu.Unlock()
}

// abandon takes back everything that the attempt left in the lock: its place in
// the queue, or the wake-up or the lock that reached it too late.
//
//go:norace
func (rw *RWMutex) abandon(x *rwExt, a *attempt) {
	x.canceled.Add(1)
	x.mu.Lock()
	if a.w.queued {
		x.q.remove(a.w)
		if x.q.n == 0 {
			rw.and(^waiting)
		}
		x.mu.Unlock()
		return // the lock is closed: who opens it looks at the queue
	}
	got := a.w.granted
	x.mu.Unlock()
	switch {
	case !got:
		rw.and(^woken)
		rw.wakeNext(x)
	case a.w.reader:
		rw.leave(x)
	default:
		rw.unclaim(x)
	}
}

// unclaim gives up wLock without having written.
//
//go:norace
func (rw *RWMutex) unclaim(x *rwExt) {
	rw.add(wLock) // flips it
	rw.wakeNext(x)
}
