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
	Skipped bool    // the case was not part of the run
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
// all is short, or a mistake in its name would pass for ever.
func CheckBars(bars []Bar, rows []Row, known []Known, slack float64) []Check {
	var out []Check
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
				out = append(out, b.check(r, rows, slack))
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
				out = append(out, Check{Bar: b, Key: k.Key, CPUs: k.CPUs, Short: true, Why: "not measured"}.blank())
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
func (b *Bar) check(r *Row, rows []Row, slack float64) Check {
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
	var q *Ratio
	c.Why = "the case has no implementation " + b.Baseline
	for i := range rows {
		o := &rows[i]
		if o.Key() != r.Key() || o.CPUs != r.CPUs {
			continue
		}
		if o.Impl == b.Baseline && o.Failed != "" {
			c.Why = b.Baseline + " failed: " + o.Failed
			return c
		}
		if o.Impl == r.Impl && o.Baseline == b.Baseline {
			q, c.Why = o.Ratios[b.Metric], "no ratio of "+b.Metric
		}
	}
	if q == nil {
		return c
	}
	c.Why = ""
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
