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

// spinner says how a waiter waits awake before it sleeps: it looks again up to
// rounds times, so many PAUSEs apart.
type spinner struct {
	rounds int
	pauses uint32
}

// Writers use sync.Mutex's numbers. Who waits for readers to leave, or as a reader
// for one writer, is sure of its turn and looks more often: BenchmarkMixed with
// 1 % writes and a section of 200 ns takes 0.6 of the time that it does without.
var (
	writerSpin = spinner{4, 30}
	readerSpin = spinner{20, 5}
)

// spin spends one round of waiting awake if the runtime thinks that it pays.
func (sp *spinner) spin(round *int) bool {
	// The runtime allows the first few rounds only; its other conditions hold for
	// all: more than one P, another running, and nothing else to run on this one.
	if *round >= sp.rounds || !rt.CanSpin(min(*round, 3)) {
		return false
	}
	rt.ProcYield(sp.pauses)
	*round++
	return true
}

// Sections shorter than it takes to move a cache line run faster on one core than
// on two: readers that always find the lock open at their first look had better
// sleep and leave it to the writer's core for a while, as those of sync.RWMutex
// do (BenchmarkMixed/writes=10%/section=0: half the time). So the rounds that
// readers need are averaged, in 128ths, and when there are few they spin only
// once in a while, to learn when that changes.
const (
	someRounds = 256 // the average that a new lock has
	fewRounds  = 160
	retryEvery = 16 // contended reads
)

// short says whether sections are as short as that.
func (x *rwExt) short() bool { return x.rounds.Load()+someRounds < fewRounds }

// sleepsEarly says whether a reader should not spin. Parallel readers, with bias,
// always do.
func (x *rwExt) sleepsEarly(s uint64) bool {
	return s&biased == 0 && x.short() && x.readContended.Load()%retryEvery != 0
}

// learn adds the rounds that a reader needed to the average.
func (x *rwExt) learn(rounds int) {
	r := x.rounds.Load() + someRounds
	x.rounds.Store(r + (int32(128*rounds)-r)/8 - someRounds)
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
