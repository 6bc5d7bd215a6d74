package load

import (
	"slices"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Round is what one attack on a twin measured.
type Round struct {
	OK             float64 // part of the requests that were answered as they should, 0..1
	P50, P99, P999 time.Duration
	CPU            time.Duration // of the server per request
	Queries, Redis float64       // statements and Redis round trips per request
	Bytes, Allocs  float64       // per request
	GC             float64       // collections per second
}

// round makes figures per request of what an attack of some length measured, and of what
// the server had used before and after.
func round(r result, before, after goods.Figures, d time.Duration) Round {
	n := float64(r.Requests)
	return Round{
		OK: r.Success, P50: r.Latencies.P50, P99: r.Latencies.P99, P999: r.Latencies.Quantile(0.999),
		CPU:     time.Duration(float64(after.CPU-before.CPU) / n),
		Queries: float64(after.Queries-before.Queries) / n, Redis: float64(after.Commands-before.Commands) / n,
		Bytes: float64(after.Bytes-before.Bytes) / n, Allocs: float64(after.Objects-before.Objects) / n,
		GC: float64(after.GCCycles-before.GCCycles) / d.Seconds(),
	}
}

// limit is the P99 up to which a rate is sustained.
const limit = 50 * time.Millisecond

func (r Round) sustained() bool { return r.OK >= 0.999 && r.P99 <= limit }

// Cell is one twin at one rate of one mix, in all rounds.
type Cell struct {
	Mix, Twin string
	Rate      int
	Rounds    []Round
}

// sustained returns in how many rounds the rate was, and whether these are most.
func (c Cell) sustained() (rounds int, most bool) {
	for _, r := range c.Rounds {
		if r.sustained() {
			rounds++
		}
	}
	return rounds, 2*rounds > len(c.Rounds)
}

func p99(r Round) time.Duration { return r.P99 }
func cpu(r Round) time.Duration { return r.CPU }

// spread is the median of a figure in some rounds, and the lowest and the highest.
type spread[T float64 | time.Duration] struct{ median, low, high T }

func over[T float64 | time.Duration](rounds []Round, figure func(Round) T) spread[T] {
	var all []T
	for _, r := range rounds {
		all = append(all, figure(r))
	}
	return spreadOf(all)
}

// spreadOf sorts what it gets, which must not be empty.
func spreadOf[T float64 | time.Duration](all []T) spread[T] {
	slices.Sort(all)
	return spread[T]{(all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[0], all[len(all)-1]}
}

// above returns c with the CPU of each round that is more than other's in that round.
func (c Cell) above(other Cell) Cell {
	c.Rounds = slices.Clone(c.Rounds)
	for i := range c.Rounds {
		c.Rounds[i].CPU -= other.Rounds[i].CPU
	}
	return c
}

// times says how many times the figure of another twin c's is, of each round by itself.
func (c Cell) times(other Cell, figure func(Round) time.Duration) spread[float64] {
	var all []float64
	for i, r := range c.Rounds {
		all = append(all, float64(figure(r))/float64(max(figure(other.Rounds[i]), 1)))
	}
	return spreadOf(all)
}
