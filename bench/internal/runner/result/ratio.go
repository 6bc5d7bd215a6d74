package result

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

const confidence = 0.95

// Median returns the middle of the values, or NaN when there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return s[n/2-1]/2 + s[n/2]/2
	}
	return s[len(s)/2]
}

// Paired compares two implementations measured in the same rounds: mine[i] and
// base[i] are of one round, adjacent in time. Pairing cancels what the machine
// did meanwhile: where absolute figures moved by half, the paired ratio stayed
// within 7 %. The result is nil when no pair has two positive figures.
func Paired(mine, base []float64) *Ratio {
	var ratios, ms, bs []float64
	for i, m := range mine {
		if i < len(base) && m > 0 && base[i] > 0 && !math.IsInf(m, 0) && !math.IsInf(base[i], 0) {
			ratios = append(ratios, base[i]/m)
			ms, bs = append(ms, m), append(bs, base[i])
		}
	}
	if len(ratios) == 0 {
		return nil
	}
	sample := func(v []float64) *benchmath.Sample {
		return benchmath.NewSample(v, &benchmath.DefaultThresholds)
	}
	sum := benchmath.AssumeNothing.Summary(sample(ratios), confidence)
	r := &Ratio{Value: sum.Center, P: benchmath.AssumeNothing.Compare(sample(ms), sample(bs)).P}
	if !math.IsInf(sum.Lo, 0) && !math.IsInf(sum.Hi, 0) {
		r.Lo, r.Hi = &sum.Lo, &sum.Hi
	}
	return r
}
