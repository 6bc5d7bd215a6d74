package lockfree

import (
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// governor spaces out goroutines that fight for one ticket counter. Without it
// two cores hand the counter's cache line to and fro on every operation, which
// costs more than a mutex; with it the loser stays away for about as long as the
// winner needs to do several operations in its own cache.
//
// Only a goroutine that just lost a compare-and-swap touches it, so it is free
// without contention. It learns from how many tickets were taken between this
// loss and the one before, by anybody: few mean a fight, many mean peace.
// BenchmarkPair measures what it buys.
type governor struct {
	lastLoss atomic.Uint64 // the ticket lost last
	losses   atomic.Uint64
	pause    atomic.Uint32 // in units of rt.ProcYield
}

const (
	fightGap = 64 * one  // closer losses double the pause
	peaceGap = 512 * one // losses farther apart halve it

	// The longest pause, about a microsecond. A longer one gains a few per cent in
	// BenchmarkPair and doubles the 99.9 % latency of a contended pair.
	maxPause = 47
)

// lost records that ticket t was lost to another, and pauses.
func (g *governor) lost(t uint64) {
	g.losses.Add(1)
	gap := t - g.lastLoss.Load()
	g.lastLoss.Store(t)
	pause := g.pause.Load()
	if gap < fightGap {
		if pause < maxPause {
			pause = min(2*pause+1, maxPause)
			g.pause.Store(pause)
		}
	} else if gap > peaceGap && pause > 0 {
		pause /= 2
		g.pause.Store(pause)
	}
	if !chaotic {
		rt.ProcYield(pause)
	}
}
