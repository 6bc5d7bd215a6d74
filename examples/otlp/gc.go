package main

import (
	"math"
	"runtime/metrics"
	"time"
)

// tryGC records spans at the same steady rate without a pool and with one, each for a
// window of time, and reads what the garbage collector did in it. Beside each span a
// request leaves garbage that no pool helps with.
func tryGC(c claim, rounds, rate int, window time.Duration) []*row {
	rows := []*row{
		{What: "GC", Figure: "cycles/s", Claim: "fewer", low: 2, Why: "The rest of the garbage is what decides."},
		{What: "GC", Figure: "pause, mean, us", Claim: "shorter", low: 1.2, Why: "Pooling makes pauses rarer. They last as long as it takes to stop the world."},
		{What: "GC", Figure: "pause, P99, us", Claim: "shorter", low: 1.2, Why: "As with the mean."},
	}
	side := func(do func()) func() []float64 {
		return func() []float64 {
			var mean, p99, cycles float64
			measure(func() {
				before := readGC()
				stop := make(chan struct{})
				time.AfterFunc(window, func() { close(stop) })
				steadily(rate, stop, func() { do(); keptRest = make([]byte, 256) })
				mean, p99, cycles = before.until(readGC())
			})
			return []float64{cycles / window.Seconds(), mean * 1e6, p99 * 1e6}
		}
	}
	takeTurns(rounds, rows, side(c.before), side(c.after))
	return rows
}

// steadily calls do so many times a second until stop is closed.
func steadily(rate int, stop <-chan struct{}, do func()) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for begin, done := time.Now(), 0; ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); done < due; done++ {
			do()
		}
	}
}

// gcState is what the collector has done since the start of the process.
type gcState struct {
	cycles uint64
	pauses *metrics.Float64Histogram // in seconds
}

func readGC() gcState {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	return gcState{s[0].Value.Uint64(), s[1].Value.Float64Histogram()}
}

// until returns what happened from s to a later state: pauses by the middle of their
// bucket.
func (s gcState) until(later gcState) (mean, p99, cycles float64) {
	var all, sum float64
	middle := func(i int) float64 {
		return max(0, (s.pauses.Buckets[i]+min(later.pauses.Buckets[i+1], math.MaxFloat32))/2)
	}
	counts := make([]float64, len(later.pauses.Counts))
	for i, n := range later.pauses.Counts {
		counts[i] = float64(n - s.pauses.Counts[i])
		if counts[i] > 0 {
			all, sum = all+counts[i], sum+counts[i]*middle(i)
		}
	}
	below := 0.0
	for i, n := range counts {
		if below += n; n > 0 && below >= 0.99*all {
			p99 = middle(i)
			break
		}
	}
	return sum / max(all, 1), p99, float64(later.cycles - s.cycles)
}
