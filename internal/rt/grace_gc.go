//go:build gc && go1.26 && !go1.28 && !race && !poundlock_portable

package rt

import (
	"runtime"
	"sync/atomic"
)

// A Grace shows when every section between [Pin] and [Unpin] that was running when
// [NewGrace] was called has ended, like [WaitForPinned], but without stopping any goroutine:
// it is over once the garbage collector has stopped the world, as it does at the end
// of each marking. The zero Grace is over.
type Grace struct{ over *atomic.Bool }

// NewGrace begins a grace period.
//
// It makes an object that is garbage at once. That the collector found this out means
// that a marking ended since: not before the world was stopped, and no P stops while
// it is pinned. (A weak pointer would say the same, but to ask it during a marking
// keeps the object until the next one.)
func NewGrace() Grace {
	g := Grace{new(atomic.Bool)}
	// An object without pointers might share its block with others.
	runtime.AddCleanup(new(*byte), func(over *atomic.Bool) { over.Store(true) }, g.over)
	return g
}

// Over reports whether the grace period is over, and what the sections wrote visible.
func (g Grace) Over() bool { return g.over == nil || g.over.Load() }
