//go:build !gc || !go1.26 || go1.28 || race || poundlock_portable

package rt

import (
	"math/rand/v2"
	"runtime"
)

// Pinned reports whether [Pin] really pins. In this build it does not.
const Pinned = false

// Pin returns a random stripe hint of at least 0. In this build it excludes
// nobody: callers must use atomics or a lock.
func Pin() int { return Stripe() }

// Unpin does nothing in this build.
func Unpin() {}

// WaitForPinned does nothing in this build, where nothing is pinned.
func WaitForPinned() {}

// ProcYield spends roughly the time of n PAUSE instructions.
func ProcYield(n uint32) {
	for range n {
		pause()
	}
}

//go:noinline
func pause() {
	for range 16 {
		nop()
	}
}

//go:noinline
func nop() {}

// CanSpin reports whether a short active spin makes sense as the i-th try.
func CanSpin(i int) bool { return i < 4 && runtime.GOMAXPROCS(0) > 1 && runtime.NumCPU() > 1 }

// Stripe returns a cheap random stripe hint of at least 0.
func Stripe() int { return int(rand.Uint32() >> 1) }
