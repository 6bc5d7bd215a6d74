//go:build unix && !linux

package runner

import (
	"runtime"
	"syscall"
)

// peakMemory returns the largest resident set that this process had, in bytes.
func peakMemory() uint64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil || u.Maxrss < 0 {
		return 0
	}
	switch runtime.GOOS {
	case "darwin", "ios":
		return uint64(u.Maxrss) // bytes
	case "solaris", "illumos", "aix":
		return 0 // not filled in, or in pages
	}
	return uint64(u.Maxrss) << 10
}
