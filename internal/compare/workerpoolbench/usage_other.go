//go:build !unix

package workerpoolbench

import "time"

// cpuTime says that this system does not tell how much processor time was used.
func cpuTime() (time.Duration, bool) { return 0, false }
