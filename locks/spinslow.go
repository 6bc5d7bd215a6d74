package locks

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// spinExt is the part of a SpinMutex that only a contended one needs.
type spinExt struct {
	mu sync.Mutex // held for a few instructions, never while waiting
	q  queue      // guarded by mu

	budget atomic.Int32 // polls that a waiter may spend, less spinBudget

	contended, spun, polls, yields, parked, handoffs, canceled atomic.Uint64

	wait atomic.Pointer[stats.Histogram]
}

// A waiter looks at the lock every pollPause PAUSEs, at most maxPolls times: about
// 2 µs, as the runtime does. Finer polls do not help (BenchmarkSpin): the fewer
// there are, the longer the holder has the lock's cache line to itself. How many a
// waiter may spend is learned as in glibc's adaptive mutexes: up to twice what was
// enough lately.
const (
	pollPause  = 30
	maxPolls   = 4
	minPolls   = 1
	spinBudget = maxPolls // polls that a new lock allows
	maxYields  = 1
)

//go:norace
func (m *SpinMutex) extend() *spinExt {
	if x := m.x.Load(); x != nil {
		return x
	}
	m.x.CompareAndSwap(nil, new(spinExt))
	return m.x.Load()
}

// lockSlow acquires m, waiting as long as l allows.
//
//go:norace
func (m *SpinMutex) lockSlow(l *limit) bool {
	x := m.extend()
	var a attempt
	contended := false
	budget := x.budget.Load() + spinBudget
	polls, yields, sum := int32(0), 0, uint64(0)
	for {
		s := m.load()
		if s&spinClosed == 0 {
			n := s + (spinLocked | spinOne)
			if a.token {
				n &^= spinWoken
			}
			if m.cas(s, n) {
				break
			}
			continue
		}
		contended = true
		if polls < budget && rt.CanSpin(0) {
			rt.ProcYield(pollPause)
			polls++
			continue
		}
		if a.w == nil && yields < maxYields {
			yields++
			runtime.Gosched()
			continue
		}
		how := m.park(x, &a, l)
		if how == gaveUp {
			return false
		}
		if how == granted {
			m.add(spinOne)
			break
		}
		sum += uint64(polls)
		polls = 0
	}
	if !contended {
		return true
	}
	x.contended.Add(1)
	sum += uint64(polls)
	if sum > 0 {
		x.polls.Add(sum)
	}
	want := max(budget-1, minPolls) // it did not pay
	if yields == 0 && a.w == nil {
		x.spun.Add(1)
		want = min(2*polls+minPolls, maxPolls)
	}
	if want != budget {
		x.budget.Add(want - budget)
	}
	if yields > 0 {
		x.yields.Add(uint64(yields))
	}
	if a.w != nil {
		x.histogram().Record(time.Since(a.start))
	}
	return true
}

func (x *spinExt) histogram() *stats.Histogram {
	if h := x.wait.Load(); h != nil {
		return h
	}
	x.wait.CompareAndSwap(nil, new(stats.Histogram))
	return x.wait.Load()
}

// park, enqueue, wakeNext and abandon are those of RWMutex without readers.
//
//go:norace
func (m *SpinMutex) park(x *spinExt, a *attempt, l *limit) woke {
	front, starved := a.w != nil, false
	if front {
		starved = time.Since(a.start) > starving
	} else {
		a.w = newWaiter(false)
		a.start = time.Now()
	}
	if !m.enqueue(x, a, front, starved) {
		return retry
	}
	if !front {
		x.parked.Add(1)
	}
	if !l.sleep(a.w) {
		m.abandon(x, a)
		return gaveUp
	}
	if a.w.granted {
		return granted
	}
	a.token = true
	return retry
}

//go:norace
func (m *SpinMutex) enqueue(x *spinExt, a *attempt, front, starved bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		s := m.load()
		if s&spinClosed == 0 {
			return false
		}
		n := s | spinWaiting
		if a.token {
			n &^= spinWoken
		}
		if starved && s&spinLocked != 0 {
			n |= spinHandoff
		}
		if m.cas(s, n) {
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

func (m *SpinMutex) unlockSlow(s uint64) {
	if s&spinLocked != 0 {
		fatal(errSpinUnlock)
	}
	m.wakeNext(m.x.Load())
}

//go:norace
func (m *SpinMutex) wakeNext(x *spinExt) {
	if s := m.load(); s&spinLocked != 0 || s&(spinWaiting|spinHandoff) == 0 || s&(spinWoken|spinHandoff) == spinWoken {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		s, w := m.load(), x.q.head
		if s&spinLocked != 0 {
			return // its owner will come here
		}
		n := s
		switch {
		case w == nil:
			n &^= spinHandoff | spinWaiting
		case s&spinHandoff != 0:
			n = (n | spinLocked) &^ spinHandoff
		case s&spinWoken == 0:
			n |= spinWoken
		default:
			return
		}
		if x.q.n == 1 {
			n &^= spinWaiting
		}
		if !m.cas(s, n) {
			continue
		}
		if w != nil {
			x.q.remove(w)
			if w.granted = n&spinLocked != 0; w.granted {
				x.handoffs.Add(1)
			}
			w.signal()
		}
		return
	}
}

//go:norace
func (m *SpinMutex) abandon(x *spinExt, a *attempt) {
	x.canceled.Add(1)
	x.mu.Lock()
	if a.w.queued {
		x.q.remove(a.w)
		if x.q.n == 0 {
			m.and(^spinWaiting)
		}
		x.mu.Unlock()
		return // the lock is closed: who opens it looks at the queue
	}
	got := a.w.granted
	x.mu.Unlock()
	if got {
		m.add(spinLocked) // flips it
	} else {
		m.and(^spinWoken)
	}
	m.wakeNext(x)
}
