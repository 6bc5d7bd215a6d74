// Package work is work of a known length for cases whose tasks or sections compute.
package work

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// stepsEnv carries the number of steps that take a microsecond from the runner to
// the processes that it measures in.
const stepsEnv = "POUNDLOCK_BENCH_STEPS"

// StepsPerMicrosecond is measured once, by the first process, and inherited by
// those that it starts: call it before they are started. If each sample calibrated
// for itself, a core stolen at that moment would give an implementation less work
// than its neighbour.
var StepsPerMicrosecond = sync.OnceValue(func() int {
	if n, err := strconv.Atoi(os.Getenv(stepsEnv)); err == nil && n > 0 {
		return n
	}
	n := calibrate()
	os.Setenv(stepsEnv, strconv.Itoa(n))
	return n
})

// calibrate returns how many steps take a microsecond, by the fastest of many
// short trials: the one that nobody disturbed.
func calibrate() int {
	const steps = 20000
	best := time.Duration(1 << 62)
	for range 100 {
		start := time.Now()
		Keep(Spin(steps))
		best = min(best, time.Since(start))
	}
	return max(1, int(steps*time.Microsecond/max(best, 1)))
}

// Spin runs a chain of multiplications in which each needs the one before.
//
//go:noinline
func Spin(steps int) uint64 {
	x := uint64(steps)
	for range steps {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// Keep makes the compiler believe that the result matters.
//
//go:noinline
func Keep(uint64) {}
