package locks

import (
	"math/bits"
	"runtime"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// Reader bias. While a lock is biased its readers count themselves in and out in
// a stripe of their own instead of the state word, which then is only read by
// them and stays in every cache. Both counters of a stripe only grow; a reader
// may leave through another stripe than it came by, or through the word, so
// everything is summed everywhere:
//
//	readers inside = active + base + Σ in − Σ out
//
// A writer claims wLock and sums: first all outs, then active and base, then all
// ins. What it missed of the outs and what it caught late of the ins both make
// the sum larger, so zero means that nobody was inside at the moment in the
// middle, and nobody gets in later: a reader counts itself in and then looks at
// the state word, the writer sets wLock and then sums, so one sees the other.
//
// This is the big-reader lock (brlock) of Linux with the reader indicator of
// "NUMA-Aware Reader-Writer Locks" (Calciu et al., PPoPP 2013) split into ingress
// and egress counts; that bias comes and goes is BRAVO (Dice and Kogan, ATC 2019).
type stripe struct {
	in, out atomic.Uint64
	_       [stats.Line - 16]byte
}

const maxStripes = 64

// newStripes makes twice as many stripes as there are Ps, since a process has
// somewhat more threads than that and two that run at once should not share one.
func newStripes(limit int) []stripe {
	n := min(max(2*runtime.GOMAXPROCS(0), 8), maxStripes)
	if limit > 0 {
		n = min(n, limit)
	}
	return make([]stripe, 1<<(bits.Len(uint(n))-1))
}

// stripe returns the stripe of the current thread.
//
//go:norace
func (x *rwExt) stripe() *stripe {
	id := rt.Thread()
	if id == 0 {
		id = rt.NumberThread()
	}
	return &x.cells[id&(len(x.cells)-1)]
}

// enterStripe tries to acquire for reading in a stripe and reports whether it
// did. It fails if the lock is closed or not biased any more.
//
//go:norace
func (rw *RWMutex) enterStripe(x *rwExt) bool {
	c := x.stripe()
	c.in.Add(1)
	return rw.load()&(closed|biased) == biased || rw.exitStripe(x, c)
}

// exitStripe takes a phantom out of its stripe. It returns false.
//
//go:norace
func (rw *RWMutex) exitStripe(x *rwExt, c *stripe) bool {
	c.out.Add(1)
	x.undone.Add(1)
	if rw.load()&drainParked != 0 {
		rw.wakeDrainer(x)
	}
	return false
}

// inside returns how many readers are inside, or more (never fewer) while some
// come and go; and the active and Σ in that it saw. It is meant for
// the owner of wLock; for anybody else it is a guess.
//
//go:norace
func (rw *RWMutex) inside(x *rwExt) (n, active int64, in uint64) {
	s := rw.load()
	if s&biased == 0 {
		return activeOf(s), activeOf(s), 0
	}
	cells := x.cells
	var out uint64
	for i := range cells {
		out += cells[i].out.Load()
	}
	active = activeOf(rw.load())
	base := x.base.Load()
	for i := range cells {
		in += cells[i].in.Load()
	}
	return active + base + int64(in-out), active, in
}

// considerBias enables bias if that looks worth it after the last reads, in which
// there were writes.
//
//go:norace
func (rw *RWMutex) considerBias(reads, writes uint64) {
	x := rw.extend()
	if x.policy.worth(reads, writes, x.pace.short(false)) && x.policy.shared(int32(rt.NumberThread())) {
		rw.bias(x)
	}
}

// bias enables bias, unless the lock is closed, and reports whether it did.
//
//go:norace
func (rw *RWMutex) bias(x *rwExt) bool {
	x.mu.Lock()
	if x.cells == nil {
		limit := 0
		if o := x.opts.Load(); o != nil {
			limit = o.MaxStripes
		}
		x.cells = newStripes(limit)
	}
	defer x.mu.Unlock()
	// A reader that leaves must see it if it has come through a stripe.
	atomic.OrUint64(&rw.writes, striped)
	for {
		// With wLock claimed a writer may be summing: bias must not appear now.
		s := rw.load()
		if s&(closed|biased|unbiasable) != 0 {
			if s&biased == 0 {
				atomic.AndUint64(&rw.writes, ^striped)
			}
			return false
		}
		if rw.cas(s, s|biased) {
			return true
		}
	}
}

// settle is called by the owner of wLock when a sum was zero, with what that sum
// saw. It moves the readers that entered through the word and left through
// stripes from active to base, so that active does not overflow, and gives bias up if the
// lock is written too often.
//
//go:norace
func (rw *RWMutex) settle(x *rwExt, active int64, in uint64) {
	if rw.load()&biased == 0 {
		return
	}
	if active != 0 {
		// Exactly those: a phantom may have added itself since.
		rw.add(-uint64(active) << activeShift)
		x.base.Add(active)
	}
	if !x.policy.pays(in, x.pace.short(true)) {
		rw.unbias(x)
		x.policy.coolDown()
	}
}

// unbias gives bias up. The caller owns wLock and has settled.
//
//go:norace
func (rw *RWMutex) unbias(x *rwExt) {
	x.mu.Lock()
	rw.and(^biased)
	atomic.AndUint64(&rw.writes, ^striped)
	x.mu.Unlock()
	x.policy.ended()
}
