package locks

import (
	"sync/atomic"
	"time"
)

// DebugOptions tunes what a build with the tag poundlock_debug reports; see
// [SetDebug].
type DebugOptions struct {
	// WaitLimit is how long a goroutine may wait for a lock before that is reported,
	// once per wait. 0 means 30 seconds, less than 0 no limit.
	WaitLimit time.Duration

	// OnReport gets each report; nil writes it to standard error. Several goroutines
	// may call it at once. It must not use a lock that the report names. A panic in it
	// is one of the method that asks for the lock, which has not been taken then, unless by
	// a Try; after a wait that is too long it ends the process.
	OnReport func(report string)
}

// SetDebug sets how the debug switch works, and reports whether this build has it.
//
// The switch is the build tag poundlock_debug. A build with it watches every lock
// of this package, and reports, with the call stacks of both sides,
//
//   - an inversion: a goroutine asks for a lock while it holds another, and somebody
//     has taken them in the opposite order before, directly or by way of further
//     locks; the two may wait for each other for ever one day,
//   - a goroutine that asks for a lock which it holds already,
//   - a wait that is longer than [DebugOptions.WaitLimit].
//
// A Try that succeeds counts as having asked, and an Upgrade as asking for a lock that
// others may hold for reading. Each pair of locks is reported once. The keys of a [Keyed]
// are locks of their own; those of one LockMany have no order among themselves. A lock
// that another goroutine releases counts as held by the one that took it until then.
// Locking takes some microseconds in such a build, and the locks that were held together
// are kept in memory. Without the tag the switch costs nothing, and SetDebug changes
// nothing.
func SetDebug(o DebugOptions) bool {
	debugOptions.Store(&o)
	return debugEnabled
}

var debugOptions atomic.Pointer[DebugOptions]
