package locks

import (
	"errors"

	"github.com/poundlock/poundlock/internal/rt"
)

// ErrUpgradeConflict is returned by [RWMutex.Upgrade] when another goroutine waits
// for the readers to leave, of which the caller is one.
var ErrUpgradeConflict = errors.New("locks: another goroutine already waits for the readers to leave")

// What misuse ends the process with. The words after the package's name are
// those of package sync.
const (
	errUnlock      = "locks: Unlock of unlocked RWMutex"
	errRUnlock     = "locks: RUnlock of unlocked RWMutex"
	errDowngrade   = "locks: Downgrade of unlocked RWMutex"
	errUpgrade     = "locks: Upgrade of unlocked RWMutex"
	errReaders     = "locks: too many concurrent readers of RWMutex"
	errSpinUnlock  = "locks: Unlock of unlocked SpinMutex"
	errKeyedUnlock = "locks: Unlock of unlocked key"
)

// fatal ends the process: after misuse a lock protects nothing any more, and a
// recovered panic would let the program go on with its data unprotected.
func fatal(msg string) {
	if raceEnabled {
		raceEnable()
	}
	rt.Fatal(msg)
}
