package locks

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// spinExt is the part of a SpinMutex that only a contended one needs, or one that
// was locked 2²⁹ times.
type spinExt struct {
	parking
	folded uint64 // guarded by mu: acquisitions moved out of the state

	budget atomic.Int32 // polls that a waiter may spend, less spinBudget

	contended, spun, polls, yields, parked atomic.Uint64

	wait stats.Histogram
	name atomic.Pointer[string]
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

// lockSlow is where Lock goes when it has added itself and got state s, unless it
// is the holder and there is nothing else to do.
//
//go:norace
func (m *SpinMutex) lockSlow(s uint64) {
	if s&spinClosed == spinIn {
		m.fold()
		return
	}
	m.leave()
	m.lockWait(nil, true)
}

// leave takes the caller, a phantom, out of the state.
//
//go:norace
func (m *SpinMutex) leave() {
	if s := m.add(^(spinIn + spinOne) + 1); s&spinUnlockMask != 0 {
		m.unlockSlow(s)
	}
}

// unlockSlow finishes an Unlock that left state s.
//
//go:norace
func (m *SpinMutex) unlockSlow(s uint64) {
	if s&spinBorrow != 0 {
		fatal(errSpinUnlock)
	}
	m.x.Load().wakeNext(m.gate())
}

// fold makes room in the count. The caller holds m, so that nobody else folds.
//
//go:norace
func (m *SpinMutex) fold() {
	x := m.extend()
	x.mu.Lock()
	x.folded += spinFold
	m.add(^(spinFold * spinOne) + 1)
	x.mu.Unlock()
}

// lockWait acquires m, waiting as long as l allows.
//
//go:norace
func (m *SpinMutex) lockWait(l *limit, contended bool) bool {
	x := m.extend()
	var a attempt
	budget := x.budget.Load() + spinBudget
	polls, yields, sum := int32(0), 0, uint64(0)
	for {
		s := m.load()
		if s&spinInMask == 0 && (s&handoff == 0 || a.handed) {
			if !m.cas(s, a.claim(s)+(spinIn+spinOne)) {
				continue
			}
			if s&spinFull != 0 {
				m.fold()
			}
			break
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
		if !x.park(m.gate(), &a, l, &x.parked) {
			x.wait.Record(time.Since(a.w.start))
			return false
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
		x.wait.Record(time.Since(a.w.start))
	}
	return true
}
