//go:build gc && go1.26 && !go1.28 && !race && !poundlock_portable

package rt

import (
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// threads gives small dense numbers to the Ms of the runtime (the OS threads that
// run Go code), found by a hash of their addresses: two Ms that share a slot share
// a number, which one in a thousand pairs does. A number is given once and stays:
// an M lives as long as the process, but for those of goroutines that exit while
// locked to their thread.
var (
	threads     [threadSlots]uint32 // atomic
	threadCount atomic.Uint32
)

const threadSlots = 1 << 10

//go:linkname getm runtime.getm
func getm() uintptr

// slotOf mixes the bits of m above those that its alignment leaves zero.
func slotOf(m uintptr) uintptr { return (m>>10 ^ m>>20) % threadSlots }

// Thread returns a small number that tells the threads which run Go code apart,
// from 1 on, or 0 if the current thread has none; [NumberThread] then gives it
// one. Like [Stripe] it is only a hint of where this goroutine runs. It is
// cheaper since it does not pin, and it is inlined (BenchmarkThread,
// BenchmarkStripe).
func Thread() int { return int(atomic.LoadUint32(&threads[slotOf(getm())])) }

// NumberThread returns the number of the current thread, from 1 on.
func NumberThread() int {
	t := &threads[slotOf(getm())]
	if atomic.LoadUint32(t) == 0 {
		atomic.CompareAndSwapUint32(t, 0, threadCount.Add(1))
	}
	return int(atomic.LoadUint32(t))
}

//go:linkname throw runtime.throw
func throw(s string)

// Fatal ends the process as an unrecoverable error, with the stack of the
// caller: no deferred function runs and nothing can recover.
func Fatal(s string) { throw(s) }
