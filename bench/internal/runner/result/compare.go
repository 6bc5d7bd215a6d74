package result

import (
	"cmp"
	"math"
	"slices"
)

// Change is how one figure differs between two runs.
type Change struct {
	Row      *Row // of the new run
	Paired   bool // Old and New are ratios to the baseline; else they are figures
	Old, New float64
	// Times is how many times as long it takes now: above 1 is slower.
	Times float64
	// Sure says that the change is more than noise: the 95 % intervals of the two
	// ratios are apart and the change is above 5 %. A figure without a baseline
	// is never sure: the machine may have changed.
	Sure bool
}

const (
	leastPaired = 1.05 // smaller changes of a ratio are not worth a line
	leastAlone  = 1.15 // absolute figures move this much by themselves
)

// Compare returns what differs between an older and a newer run, the most slowed
// down first, and how many pairs or figures both have. Pairs are compared by
// their ratios, which hold across machines and loads; only an implementation
// without a ratio in both is compared by its own figure. A ratio also falls when
// the baseline got faster, so the leading implementation alone is looked at.
func Compare(old, now []Row) (changes []Change, common int) {
	type key struct {
		group, name, impl, baseline string
		cpus                        int
	}
	keyOf := func(r *Row) key { return key{r.Group, r.Case, r.Impl, r.Baseline, r.CPUs} }
	before := make(map[key]*Row)
	for i := range old {
		before[keyOf(&old[i])] = &old[i]
	}
	for i := range now {
		n := &now[i]
		o := before[keyOf(n)]
		if o == nil || o.Failed != "" || n.Failed != "" || o.Metric() != n.Metric() {
			continue
		}
		c := Change{Row: n}
		least := leastPaired
		switch {
		case n.Ratio != nil && o.Ratio != nil:
			c.Paired, c.Old, c.New = true, o.Ratio.Value, n.Ratio.Value
			c.Times = c.Old / c.New
			oldLo, oldHi, ok1 := o.Interval()
			newLo, newHi, ok2 := n.Interval()
			c.Sure = ok1 && ok2 && (newHi < oldLo || newLo > oldHi)
		case n.Baseline == "" && n.Lead:
			c.Old, _ = o.Value(n.Metric())
			c.New, _ = n.Value(n.Metric())
			c.Times, least = c.New/c.Old, leastAlone
		default:
			continue
		}
		common++
		if !(c.Times > 0) || math.IsInf(c.Times, 0) || max(c.Times, 1/c.Times) < least {
			continue
		}
		changes = append(changes, c)
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(b.Times, a.Times) })
	return changes, common
}
