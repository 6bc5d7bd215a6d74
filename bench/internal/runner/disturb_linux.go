package runner

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machineBusy returns the CPU time that the whole machine has spent working and
// that a hypervisor has stolen from it, and whether that is known. Where the
// machine has more CPUs than this process may use, work on the others takes
// nothing away, and only stolen time counts.
func machineBusy() (busy, stolen time.Duration, ok bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	cpus := 0
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 9 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		if f[0] != "cpu" {
			cpus++
			continue
		}
		var n [9]int64
		for i := 1; i < 9; i++ {
			if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
				return 0, 0, false
			}
		}
		// user nice system idle iowait irq softirq steal
		busy = time.Duration(n[1]+n[2]+n[3]+n[6]+n[7]) * tick
		stolen = time.Duration(n[8]) * tick
	}
	if cpus != runtime.NumCPU() {
		busy = 0
	}
	return busy, stolen, cpus > 0
}
