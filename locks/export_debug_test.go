//go:build poundlock_debug

package locks

// DebugForget empties the table of who holds what; DebugHolds returns how many locks and
// goroutines are in it.
var DebugForget = debugForget

func DebugHolds() (locks, goroutines int) { return len(debugging.holds), len(debugging.byGo) }
