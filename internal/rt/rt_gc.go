//go:build gc && go1.26 && !go1.28 && !race && !poundlock_portable

package rt

import (
	"runtime"
	_ "unsafe" // for go:linkname
)

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

// WaitForPinned returns after every section between [Pin] and [Unpin] that was
// running when it was called has ended, and what the section wrote is visible to
// the caller; what the caller wrote before is visible to every section that begins
// later. The caller must not be pinned, and calls must not overlap.
//
// Stopping the world does exactly that, as a P does not stop while it is pinned, and
// runtime.ReadMemStats stops the world. No document says so. That is why there is a
// bound on the versions of Go (see the package's documentation) and tests beside. Of
// the public functions that stop the world it is the cheapest (9 µs idle, 60 to 170 µs
// under load).
func WaitForPinned() { runtime.ReadMemStats(&stopScratch) }

// stopScratch is written while the world is stopped and never read: 5 KiB that
// WaitForPinned would else allocate each time.
var stopScratch runtime.MemStats

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
