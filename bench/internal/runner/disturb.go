package runner

import (
	"runtime"
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// disturbance tells whether others used the machine while a unit was measured.
type disturbance struct {
	start        time.Time
	busy, stolen time.Duration
	ok           bool
}

func watch() disturbance {
	d := disturbance{start: time.Now()}
	d.busy, d.stolen, d.ok = machineBusy()
	return d
}

// disturbedShare of the machine's time, taken by others, makes a round disturbed.
const disturbedShare = 0.15

// disturbed says whether a good part of the machine went to others since watch,
// when our own children used own. The kernel counts in ticks of 10 ms, so less
// than five of them are never held against anybody.
func (d disturbance) disturbed(own time.Duration) bool {
	busy, stolen, ok := machineBusy()
	if !ok || !d.ok {
		return false
	}
	lost := stolen - d.stolen
	if busy > 0 {
		lost += max(busy-d.busy-own, 0)
	}
	all := time.Since(d.start) * time.Duration(runtime.NumCPU())
	return lost > 50*time.Millisecond && float64(lost) > disturbedShare*float64(all)
}

// shortOfCores counts the rounds in which an implementation kept far fewer cores
// busy than it does in most: they were taken away.
func shortOfCores(cores []float64) int {
	usual, n := result.Median(cores), 0
	for _, c := range cores {
		if c < 0.75*usual {
			n++
		}
	}
	return n
}
