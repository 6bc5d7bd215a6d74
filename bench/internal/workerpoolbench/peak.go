package workerpoolbench

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
)

// peakUnit is how far the work raised the peak of the process's resident memory.
// Each sample has a process of its own, so earlier ones do not hide it.
const peakUnit = "peak-bytes"

// peakMemory returns the most memory that this process has had resident so far.
//
// It reads the peak from /proc and not from getrusage, whose ru_maxrss a process
// inherits from the one that started it. Where there is no /proc, it is what the
// Go runtime has obtained from the system.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		if _, rest, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				if kib, err := strconv.ParseInt(string(f[0]), 10, 64); err == nil {
					return kib << 10
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
