package runner

import (
	"os"
	"strconv"
	"strings"
)

// peakMemory returns the largest resident set that this process had, in bytes.
// It reads VmHWM because Linux counts the parent's memory into a child's
// ru_maxrss when the fork shared it, as Go's does.
func peakMemory() uint64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
