package workerpoolbench

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// spinEnv carries the number of steps that take a microsecond from the runner to
// the processes that it measures in.
const spinEnv = "POUNDLOCK_BENCH_STEPS"

// stepsPerMicrosecond is measured once, by the first process, and inherited by
// those that it starts. If each sample calibrated for itself, a core stolen at
// that moment would give an implementation less work than its neighbour.
var stepsPerMicrosecond = sync.OnceValue(func() int {
	if n, err := strconv.Atoi(os.Getenv(spinEnv)); err == nil && n > 0 {
		return n
	}
	n := calibrate()
	os.Setenv(spinEnv, strconv.Itoa(n))
	return n
})

// calibrate returns how many steps take a microsecond, by the fastest of many
// short trials: the one that nobody disturbed.
func calibrate() int {
	const steps = 20000
	best := time.Duration(1 << 62)
	for range 100 {
		start := time.Now()
		keep(spin(steps))
		best = min(best, time.Since(start))
	}
	return max(1, int(steps*time.Microsecond/max(best, 1)))
}

// spin runs a chain of multiplications in which each needs the one before.
//
//go:noinline
func spin(steps int) uint64 {
	x := uint64(steps)
	for range steps {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// keep makes the compiler believe that the result matters.
//
//go:noinline
func keep(uint64) {}

// spinFor returns work that keeps a core busy for d, a number of microseconds.
func spinFor(d time.Duration) func() {
	steps := stepsPerMicrosecond() * int(d/time.Microsecond)
	return func() { keep(spin(steps)) }
}
