package stats

import (
	"math/bits"
	"runtime"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// Counter is a monotonic counter whose writers do not share a cache line: one
// cell per P at the time of [NewCounter]. Use it where many Ps count at once; a
// single atomic is smaller and as fast where they do not.
//
// All methods are safe for concurrent use. The zero value is not usable.
type Counter struct {
	cells []cell // length is a power of two
}

type cell struct {
	n atomic.Uint64
	_ [Line - 8]byte
}

// NewCounter returns a counter at zero. It takes 128 bytes per P, 64 Ps at most.
func NewCounter() *Counter {
	n := min(max(runtime.GOMAXPROCS(0), 1), 64)
	return &Counter{cells: make([]cell, 1<<bits.Len(uint(n-1)))}
}

// Add adds n.
func (c *Counter) Add(n uint64) {
	c.cells[rt.Stripe()&(len(c.cells)-1)].n.Add(n)
}

// Load returns the sum of all that was added: every Add that happened before the
// call, and some of those that run beside it. Successive loads by one goroutine
// never go backwards.
func (c *Counter) Load() uint64 {
	var sum uint64
	for i := range c.cells {
		sum += c.cells[i].n.Load()
	}
	return sum
}
