//go:build gc && !race && !poundlock_portable

package rt

import _ "unsafe" // for go:linkname

// Pinned reports whether [Pin] really pins: between Pin and Unpin no other
// goroutine runs on the same P, so state indexed by Pin's result is owned
// exclusively.
const Pinned = true

// Pin disables preemption and returns the index of the current P, which is at
// least 0 and may exceed an earlier GOMAXPROCS. The code until [Unpin] must be
// short, must not block, allocate much, grow the stack deeply or panic.
//
//go:linkname Pin runtime.procPin
func Pin() int

// Unpin ends the section that [Pin] began.
//
//go:linkname Unpin runtime.procUnpin
func Unpin()

// ProcYield executes n PAUSE-like instructions (about 18 ns each on current x86).
//
//go:linkname ProcYield runtime.procyield
func ProcYield(n uint32)

// CanSpin reports whether a short active spin makes sense as the i-th try: more
// than one P, another P running, an empty local run queue, and i below 4.
//
//go:linkname CanSpin sync.runtime_canSpin
func CanSpin(i int) bool

// Stripe returns a cheap hint of where this goroutine runs: the same value for
// goroutines on the same P. It is only a hint; by the time it returns the
// goroutine may have moved.
func Stripe() int {
	p := Pin()
	Unpin()
	return p
}
