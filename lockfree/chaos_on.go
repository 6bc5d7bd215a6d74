//go:build chaos

package lockfree

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
)

// In a chaos build rings and groups are tiny, so that laps, seals and appends happen all
// the time, and stalled slots are passed over at once.
const (
	firstRing   = 2
	largestRing = 8
	ringBytes   = 64 << 10
	groupBits   = 1
	patience    = 1
)

const chaotic = true

// onStep, if set, is called at every step instead of the random yield.
var onStep atomic.Pointer[func(point)]

// step marks a place between two atomic operations, where another goroutine may
// come in.
func step(p point) {
	if f := onStep.Load(); f != nil {
		(*f)(p)
		return
	}
	if rand.Uint32()&3 == 0 {
		runtime.Gosched()
	}
}
