package locks

import (
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// rwExt is the part of an RWMutex that only contended, biased or instrumented
// locks need.
type rwExt struct {
	// cells are the stripes. They are made once, with mu held, before biased is
	// first set: a goroutine that has seen it set may read them. Their line is not
	// written again.
	cells []stripe
	_     stats.Pad

	parking
	readers queue   // guarded by mu: the readers that sleep
	drainer *waiter // guarded by mu: the writer that sleeps with drainParked set

	readContended, writeContended atomic.Uint64
	readParked, writeParked       atomic.Uint64
	undone                        atomic.Uint64 // reads counted by phantoms

	waits atomic.Pointer[waits]
	opts  atomic.Pointer[RWOptions]

	base   atomic.Int64 // see stripe
	policy biasPolicy
	pace   pace
	tick   uint64        // guarded by wLock: writes since sampling began
	since  time.Time     // guarded by wLock or sampled: when the sampled hold began
	parks  atomic.Uint64 // sleeps seen by site sampling
}

// waits are the latency histograms of a lock, or of several that share them.
type waits struct {
	read, write, hold stats.Histogram
}

// extend returns rw's rwExt, making it if need be.
//
//go:norace
func (rw *RWMutex) extend() *rwExt {
	if x := rw.x.Load(); x != nil {
		return x
	}
	rw.x.CompareAndSwap(nil, new(rwExt))
	return rw.x.Load()
}

func (x *rwExt) histograms() *waits {
	if w := x.waits.Load(); w != nil {
		return w
	}
	x.waits.CompareAndSwap(nil, new(waits))
	return x.waits.Load()
}
