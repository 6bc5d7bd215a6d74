//go:build gc && go1.26 && !go1.28 && !race && !poundlock_portable

package rt

import (
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// threads gives small dense numbers to the Ms of the runtime (the OS threads that
// run Go code), found by their addresses. A number is given once and stays: an M
// lives as long as the process, but for those of goroutines that exit while locked to
// their thread, whose address and number another may get.
//
// A slot belongs to one M. The runtime allocates Ms four at a time, 2 KiB apart: where
// two fours hash alike, all of the second find their first slot taken, and have one of
// the next. They are told apart, but Thread looks only at the first.
var (
	threads     [threadSlots]threadSlot
	threadCount atomic.Uint32
)

type threadSlot struct {
	m      atomic.Uintptr // 0 while the slot is free
	number atomic.Uint32  // read by m alone
}

const (
	threadSlots = 1 << 10
	threadTries = 32
)

//go:linkname getm runtime.getm
func getm() uintptr

// slotOf mixes the bits of m above those that are the same for all.
func slotOf(m uintptr) uintptr { return (m>>11 ^ m>>20) % threadSlots }

// Thread returns a small number, another for each thread that runs Go code,
// from 1 on, or 0 if the current thread has none or it is not found at once;
// [NumberThread] then gives it one, or finds it. Like [Stripe] it is only a hint of
// where this goroutine runs. It is cheaper since it does not pin, and it is inlined
// (BenchmarkThread, BenchmarkStripe).
func Thread() int {
	m := getm()
	if t := &threads[slotOf(m)]; t.m.Load() == m {
		return int(t.number.Load())
	}
	return 0
}

// NumberThread returns the number of the current thread, from 1 on. With very many
// threads (some 900) the last ones may share numbers.
func NumberThread() int { return numberOf(getm()) }

func numberOf(m uintptr) int {
	first := slotOf(m)
	for i := range uintptr(threadTries) {
		t := &threads[(first+i)%threadSlots]
		switch {
		case t.m.Load() == m:
		case t.m.CompareAndSwap(0, m):
			t.number.Store(threadCount.Add(1))
		default:
			continue
		}
		return int(t.number.Load())
	}
	return int(first) + 1
}

//go:linkname throw runtime.throw
func throw(s string)

// Fatal ends the process as an unrecoverable error, with the stack of the
// caller: no deferred function runs and nothing can recover.
func Fatal(s string) { throw(s) }
