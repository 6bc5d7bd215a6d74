package result

import (
	"fmt"
	"math"
	"strconv"
)

// Check is a bar held against one case, or against none that was measured.
type Check struct {
	Bar  *Bar
	Key  string // the case; empty when none matched
	CPUs int

	Got     float64 // the ratio, the share or the figure, in the terms of the bar
	Lo, Hi  float64 // its interval; NaN when unknown
	Met     bool    // without slack
	Short   bool    // below the bar even with the slack: a failure
	Skipped bool    // not measured, so neither met nor missed
	Why     string  // why there is no figure
}

// Known is a case that the program has, at a GOMAXPROCS, and whether this run was
// to measure it.
type Known struct {
	Key    string
	CPUs   int
	Chosen bool
}

// CheckBars holds the rows against the bars. Minimum ratios are multiplied by
// slack (0..1] and maxima divided by it before a check falls Short; with a slack
// below 1 the whole interval must be below, as far as it is known. A bar whose
// cases were not chosen for the run is skipped; one that matches no known case at
// all is short, or a mistake in its name would pass for ever. A case that was
// chosen but not measured is short as well, unless the user interrupted the run.
func CheckBars(bars []Bar, run *Run, known []Known, slack float64) []Check {
	var out []Check
	rows := run.Rows
	for i := range bars {
		b := &bars[i]
		before := len(out)
		type place struct {
			key  string
			cpus int
		}
		done := make(map[place]bool)
		for j := range rows {
			r := &rows[j]
			at := place{r.Key(), r.CPUs}
			if r.Lead && b.Matches(r.Key(), r.CPUs) && !done[at] {
				done[at] = true
				out = append(out, b.check(r, run, slack))
			}
		}
		exists := false
		for _, k := range known {
			at := place{k.Key, k.CPUs}
			if !b.Matches(k.Key, k.CPUs) {
				continue
			}
			exists = true
			if k.Chosen && !done[at] {
				done[at] = true
				out = append(out, Check{Bar: b, Key: k.Key, CPUs: k.CPUs, Skipped: true, Short: !run.Info.Interrupted, Why: "not measured"}.blank())
			}
		}
		if len(out) == before {
			c := Check{Bar: b, Skipped: exists, Why: "not in this run"}
			if !exists {
				c.Short, c.Why = true, "no case has this name"
			}
			out = append(out, c.blank())
		}
	}
	return out
}

func (c Check) blank() Check {
	c.Got, c.Lo, c.Hi = math.NaN(), math.NaN(), math.NaN()
	return c
}

// check holds the bar against the case that r leads.
func (b *Bar) check(r *Row, run *Run, slack float64) Check {
	c := Check{Bar: b, Key: r.Key(), CPUs: r.CPUs, Short: true}.blank()
	if r.Failed != "" {
		c.Why = r.Impl + " failed: " + r.Failed
		return c
	}
	if b.Absolute() {
		v, ok := r.Value(b.Metric)
		if !ok {
			c.Why = r.Impl + " has no " + b.Metric
			return c
		}
		c.Got = v
		c.Met, c.Short = v <= b.Limit, v > b.Limit/slack
		return c
	}
	find := b.against
	if b.Floor() != "" {
		find = b.againstFloor
	}
	q, why, measured := find(r, run.Rows)
	if q == nil {
		c.Why = why
		if !measured && (run.Info.Interrupted || b.Floor() != "") {
			c.Skipped, c.Short = true, false
		}
		return c
	}
	least := b.Limit
	c.Got = q.Value
	c.Lo, c.Hi, _ = q.Interval()
	if b.AtMost {
		least = 1 / b.Limit
		c.Got, c.Lo, c.Hi = 1/c.Got, 1/c.Hi, 1/c.Lo
	}
	best := q.Value
	if _, hi, ok := q.Interval(); ok && slack < 1 {
		best = max(best, hi)
	}
	c.Met, c.Short = q.Value >= least, best < least*slack
	return c
}

// against returns the ratio of r's case to the bar's baseline, or why there is
// none, and whether the baseline was measured.
func (b *Bar) against(r *Row, rows []Row) (q *Ratio, why string, measured bool) {
	why = "the case has no implementation " + b.Baseline
	for i := range rows {
		o := &rows[i]
		if o.Key() != r.Key() || o.CPUs != r.CPUs {
			continue
		}
		if o.Impl == b.Baseline && o.Failed != "" {
			return nil, b.Baseline + " failed: " + o.Failed, true
		}
		if o.Impl == r.Impl && o.Baseline == b.Baseline {
			q, why, measured = o.Ratios[b.Metric], "no ratio of "+b.Metric, true
		}
	}
	return q, why, measured
}

// againstFloor is the same for a primitive: of those measured, the one at the
// GOMAXPROCS of r's case, or the first.
func (b *Bar) againstFloor(r *Row, rows []Row) (q *Ratio, why string, measured bool) {
	why = "the floor was not measured"
	var base *Row
	for i := range rows {
		o := &rows[i]
		if o.Group != FloorGroup {
			continue
		}
		if measured, why = true, "the floor has no "+b.Floor(); o.Impl == b.Floor() && o.ByRound != nil && (base == nil || o.CPUs == r.CPUs && base.CPUs != r.CPUs) {
			base = o
		}
	}
	if base == nil {
		return nil, why, measured
	}
	return Paired(r.ByRound[b.Metric], base.ByRound[NsPerOp]), "no ratio of " + b.Metric + " to the floor's " + NsPerOp, true
}

// Tally counts checks by what their bars are held against.
type Tally struct {
	Met, Missed [numKinds]int
	Out         int // not measured
}

// Add adds the counts of another tally.
func (t *Tally) Add(o Tally) {
	for k := range t.Met {
		t.Met[k] += o.Met[k]
		t.Missed[k] += o.Missed[k]
	}
	t.Out += o.Out
}

// Count makes the tally of checks. With short, a check that is within the slack
// counts as met.
func Count(checks []Check, short bool) (t Tally) {
	for i := range checks {
		c := &checks[i]
		switch k := c.Bar.Kind(); {
		case c.Skipped && !(short && c.Short):
			t.Out++
		case c.Met, short && !c.Short:
			t.Met[k]++
		default:
			t.Missed[k]++
		}
	}
	return t
}

// String is the line printed for a check.
func (c Check) String() string {
	name := c.Bar.Case
	if c.Key != "" {
		name = c.Key + "-" + strconv.Itoa(c.CPUs)
	}
	against := c.Bar.Metric
	if !c.Bar.Absolute() {
		against += " against " + c.Bar.Baseline
	}
	got := c.Why
	if got == "" {
		got = strconv.FormatFloat(c.Got, 'g', 4, 64)
		if !math.IsNaN(c.Lo) && !math.IsNaN(c.Hi) {
			got += fmt.Sprintf(" [%.3g, %.3g]", c.Lo, c.Hi)
		}
	}
	return fmt.Sprintf("%s: %s: %s %s: %s", c.Bar.At(), name, against, c.Bar.Want(), got)
}
