//go:build !chaos

package lockfree

// The sizes of a list's rings, in slots. A ring is at most ringBytes large.
const (
	firstRing   = 32
	largestRing = 4096
	ringBytes   = 64 << 10
	groupBits   = 4 // slots of a group, as a power of two: see groupWord
)

// patience is how often a slot is looked at again before its owner is taken for
// stalled and passed over.
const patience = 64

// chaotic reports whether this is a build with the chaos tag.
const chaotic = false

// step marks a place between two atomic operations. It compiles to nothing.
func step(point) {}
