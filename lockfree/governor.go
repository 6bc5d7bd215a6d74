package lockfree

import (
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// governor spaces out goroutines that fight for one ticket counter. Without it
// two cores hand the counter's cache line to and fro on every operation, which
// costs more than a mutex; with it the loser stays away while the winner does some
// hundred operations in its own cache.
//
// Only a goroutine that just lost a compare-and-swap touches it, so it is free
// without contention. It learns from how many tickets were taken between this
// loss and the one before, by anybody: few mean a fight, many mean peace.
// BenchmarkPair measures what it buys.
//
// An operation that has paused goes first: when it loses again it tries again at
// once, and the other loses soon, and pauses. So few operations pause twice.
type governor struct {
	lastLoss atomic.Uint64 // the ticket lost last
	losses   atomic.Uint64
	pause    atomic.Uint32 // in units of rt.ProcYield
}

const (
	fightGap = 256 * one  // closer losses double the pause
	peaceGap = 2048 * one // losses farther apart halve it

	// The longest pause, about six microseconds. One that is four times as long
	// makes BenchmarkPair a third faster and the slowest pair in a thousand three
	// times as slow as a channel's. Of two that fight one pauses at every moment, so
	// there is a slow pair for each pause: while one goroutine pauses the other does
	// 60 to 100 pairs, and one or two pairs in a hundred contain a pause. That makes
	// the slowest in a hundred those with a pause; see bench/peers/bars/lockfree.txt.
	maxPause = 280

	// patiently is how often an operation that has paused loses before it pauses again.
	patiently = 8
)

// lost records that an operation lost ticket t to another, and pauses.
func (g *governor) lost(t uint64) { g.lostRun(t, 1, 0) }

// lostRun records that an operation, which lost as often as tries before, lost n
// tickets from t on. It pauses, if it has not done so lately.
func (g *governor) lostRun(t uint64, n, tries int) {
	g.losses.Add(1)
	if tries%patiently != 0 {
		return
	}
	gap := (t - g.lastLoss.Load()) / uint64(n)
	g.lastLoss.Store(t)
	pause := g.pause.Load()
	longest := uint32(min(n, 4) * maxPause) // what a batch pays is for several values
	if gap < fightGap {
		if pause < longest {
			pause = min(2*pause+1, longest)
			g.pause.Store(pause)
		}
	} else if gap > peaceGap && pause > 0 {
		pause /= 2
		g.pause.Store(pause)
	}
	if !chaotic {
		rt.ProcYield(min(pause, longest))
	}
}
