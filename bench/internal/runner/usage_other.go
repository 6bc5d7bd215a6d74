//go:build !unix

package runner

import "time"

// cpuTime is not known here: rows carry no cpu-ns/op.
func cpuTime() time.Duration { return 0 }
