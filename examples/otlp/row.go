package main

import (
	"fmt"
	"slices"
)

// A row compares two ways of doing the same by one figure.
type row struct {
	What, Figure, Claim string  // "batch", "ns a span", "5-10 x"; no claim: ""
	low                 float64 // the least that makes the claim true
	Why                 string  // it may be untrue
	more                bool    // a larger figure is the better one
	share               bool    // the claim is a percentage saved
	none                bool    // the claim is that After is 0
	Before, After       []float64
}

// takeTurns measures both sides of rows, one after the other in each round, so that
// what disturbs the machine disturbs both. A side returns a figure for each row.
func takeTurns(rounds int, rows []*row, before, after func() []float64) {
	for round := range rounds {
		progress("%s, round %d of %d", rows[0].What, round+1, rounds)
		b, a := before(), after()
		for i, r := range rows {
			if i < len(b) && i < len(a) {
				r.Before, r.After = append(r.Before, b[i]), append(r.After, a[i])
			}
		}
	}
}

// Better is how many times better After is, the median over the rounds, or, where the
// claim is a share, what percentage After saves. It is 0 where there is nothing to
// divide.
func (r *row) Better() float64 {
	var all []float64
	for i, b := range r.Before {
		a := r.After[i]
		switch {
		case r.share && b > 0:
			all = append(all, 100*(1-a/b))
		case r.more && b > 0:
			all = append(all, a/b)
		case !r.share && !r.more && a > 0:
			all = append(all, b/a)
		}
	}
	return median(all)
}

// Measured is Better in words.
func (r *row) Measured() string {
	switch better := r.Better(); {
	case better == 0:
		return ""
	case r.share:
		return fmt.Sprintf("%.0f %%", better)
	default:
		return fmt.Sprintf("%.1f x", better)
	}
}

// Untrue says whether the claim does not hold here and now.
func (r *row) Untrue() bool {
	if r.none {
		return len(r.After) == 0 || slices.Max(r.After) > 0
	}
	return r.Claim != "" && r.Better() < r.low
}

// Verdict is that in a word.
func (r *row) Verdict() string {
	switch {
	case r.Claim == "":
		return ""
	case r.Untrue():
		return "UNTRUE"
	}
	return "holds"
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
