package locks

import "sync/atomic"

// biasPolicy decides when a lock gets reader bias and when it gives that up. It
// keeps what it has seen; all else comes as arguments. The zero value has seen
// nothing.
//
// The mode is chosen from the reads per write. A revocation costs the writer a
// look at every stripe and the readers a pause. Short sections gain less from
// running side by side (see sleepsEarly) and must be read more often for it.
type biasPolicy struct {
	hops   atomic.Int32 // folds by another thread than the one before, less those by the same
	last   atomic.Int32 // the thread of the last fold
	cool   atomic.Int32 // folds to let pass before bias is tried again
	backIn atomic.Int32 // the next value of cool
	lastIn uint64       // guarded by wLock: Σ in when the last writer was inside
	avg    uint64       // guarded by wLock: reads per write, times 8; 0 before the first
}

const (
	enableRatio  = 64
	disableRatio = 24
	shortFactor  = 8
	minReads     = 4096
	maxCoolDown  = 63 // folds
)

// ratioFor returns r for sections of one kind.
func ratioFor(r uint64, short bool) uint64 {
	if short {
		return r * shortFactor
	}
	return r
}

// worth reports whether so many reads and writes are worth bias.
func (*biasPolicy) worth(reads, writes uint64, short bool) bool {
	return reads >= minReads && reads >= ratioFor(enableRatio, short)*writes
}

// shared reports whether reads come from several threads and the lock is not cooling
// down. It is called for each fold that finds enough reads (see worth), with the thread
// that folds.
func (p *biasPolicy) shared(thread int32) bool {
	if p.last.Swap(thread) == thread {
		p.hops.Store(max(p.hops.Load()-1, 0))
		return false
	}
	// A goroutine that has moved once looks like two readers; one that is alone
	// does not keep moving.
	if p.hops.Add(1) < 2 {
		return false
	}
	if p.cool.Load() > 0 {
		p.cool.Add(-1)
		return false
	}
	return true
}

// pays reports whether bias still pays: whether there are enough reads between writes.
// Each writer calls it as the owner of wLock; in is Σ in.
//
//go:norace
func (p *biasPolicy) pays(in uint64, short bool) bool {
	reads := min(in-p.lastIn, 1<<32)
	p.lastIn = in
	if p.avg == 0 {
		p.avg = 4 * ratioFor(enableRatio, short) * 8
	}
	p.avg += reads - p.avg/8
	return p.avg >= ratioFor(disableRatio, short)*8
}

// ended notes that bias has ended. The owner of wLock calls it.
//
//go:norace
func (p *biasPolicy) ended() {
	p.avg = 0
	p.hops.Store(0)
}

// coolDown keeps bias away for a while, since it did not pay: each time for twice
// as long.
func (p *biasPolicy) coolDown() {
	p.cool.Store(p.backIn.Load())
	p.backIn.Store(min(2*p.backIn.Load()+1, maxCoolDown))
}
