package observe

import (
	"math"
	"runtime/debug"
	"sync"
)

// RuntimeSettings are GOGC and GOMEMLIMIT. In each field 0 leaves the setting as it is
// and -1 turns it off.
type RuntimeSettings struct {
	GOGC        int   `json:"gogc"`         // percent; 100 is Go's default
	MemoryLimit int64 `json:"memory_limit"` // bytes
}

// Apply changes the settings of the program. restore brings back those before; only its
// first call does. Restore settings that were applied one over the other in reverse order.
func (s RuntimeSettings) Apply() (restore func()) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	switch {
	case s.GOGC == 0:
		debug.SetGCPercent(percent)
	default:
		debug.SetGCPercent(s.GOGC)
	}
	switch {
	case s.MemoryLimit < 0:
		debug.SetMemoryLimit(math.MaxInt64)
	case s.MemoryLimit > 0:
		debug.SetMemoryLimit(s.MemoryLimit)
	}
	return sync.OnceFunc(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
}
