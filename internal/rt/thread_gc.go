//go:build gc && !race && !poundlock_portable

package rt

import (
	"sync/atomic"
	"unsafe"
)

// threads maps the address of a runtime M (an OS thread that runs Go code) to a
// small dense number. An M registers itself once and is never taken out: Ms live
// as long as the process, but for those of goroutines that exit while locked to
// their thread, whose number the next M at that address inherits.
var (
	threads     [1 << threadBits]thread
	threadCount atomic.Uint32
)

const threadBits = 10

type thread struct {
	m  atomic.Uintptr
	id atomic.Uint32
}

//go:linkname getm runtime.getm
func getm() uintptr

// Thread returns a small number that tells the threads which run Go code apart:
// 0 for the first one seen, 1 for the next, and so on. Like [Stripe] it is only
// a hint of where this goroutine runs. It costs about a quarter of Stripe, which
// has to pin and unpin (BenchmarkThread, BenchmarkStripe).
func Thread() int {
	m := getm()
	if t := &threads[slotOf(m)]; t.m.Load() == m {
		return int(t.id.Load())
	}
	return threadSlow(m)
}

// slotOf spreads m by Fibonacci hashing; Ms are at least 1 KiB apart.
func slotOf(m uintptr) uintptr {
	const golden = ^uintptr(0)/1618*1000 | 1
	return (m >> 10 * golden) >> (8*unsafe.Sizeof(m) - threadBits)
}

// threadSlow finds m by linear probing or registers it. With the table full,
// which takes a thousand threads, the slot number serves as the hint.
func threadSlow(m uintptr) int {
	for i := range uintptr(len(threads)) {
		t := &threads[(slotOf(m)+i)&(1<<threadBits-1)]
		if t.m.Load() == 0 && t.m.CompareAndSwap(0, m) {
			t.id.Store(threadCount.Add(1) - 1)
		}
		if t.m.Load() == m {
			return int(t.id.Load())
		}
	}
	return int(slotOf(m))
}

//go:linkname throw runtime.throw
func throw(s string)

// Fatal ends the process as an unrecoverable error, with the stack of the
// caller: no deferred function runs and nothing can recover.
func Fatal(s string) { throw(s) }
