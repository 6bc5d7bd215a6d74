package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// verdict is how an implementation does against another, as far as the interval
// of their ratio is sure of it.
type verdict int

const (
	behind verdict = iota // the whole interval is below 1
	level                 // the interval includes 1, or there were too few rounds for one
	ahead                 // the whole interval is above 1
)

func (v verdict) String() string { return [...]string{"behind", "level", "ahead"}[v] }

// verdictOf reads a ratio of another's figure over ours.
func verdictOf(q *result.Ratio) verdict {
	lo, hi, ok := q.Interval()
	switch {
	case ok && lo > 1:
		return ahead
	case ok && hi < 1:
		return behind
	}
	return level
}

// alternatives are the implementations that the cell's first one is judged by: the
// baselines that the case declares, without those that are no alternative.
func (c *cell) alternatives() (ims []*impl) {
	for i := range c.impls {
		if im := &c.impls[i]; im.declared && !im.own && positive(im.ratios[c.metric()]) {
			ims = append(ims, im)
		}
	}
	return ims
}

func positive(q *result.Ratio) bool { return q != nil && q.Value > 0 && !math.IsInf(q.Value, 1) }

// best returns the alternative that does best against the cell's first
// implementation in the cell's first metric, and what that says: ahead is only who
// is ahead of all alternatives, behind who is behind any. Nil without alternatives.
func (c *cell) best() (im *impl, q *result.Ratio, v verdict) {
	ims := c.alternatives()
	if len(ims) == 0 {
		return nil, nil, level
	}
	im = slices.MinFunc(ims, func(a, b *impl) int {
		p, q := a.ratios[c.metric()], b.ratios[c.metric()]
		return cmp.Or(cmp.Compare(verdictOf(p), verdictOf(q)), cmp.Compare(p.Value, q.Value))
	})
	q = im.ratios[c.metric()]
	return im, q, verdictOf(q)
}

// tally counts verdicts.
type tally [ahead + 1]int

func (t tally) sum() int { return t[ahead] + t[level] + t[behind] }

func (t *tally) add(o tally) {
	for v, n := range o {
		t[v] += n
	}
}

// String names what there is: "30 ahead, 2 level, 1 behind".
func (t tally) String() string {
	var parts []string
	for _, v := range []verdict{ahead, level, behind} {
		if t[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %v", t[v], v))
		}
	}
	return strings.Join(parts, ", ")
}

// summary is how a group's first implementations do against the best alternative
// of each case.
type summary struct {
	name         string
	points       []point
	mean, lo, hi float64 // of the ratios: geometric mean, least, most
	tally        tally
	failed       int
}

// point is one case of a summary.
type point struct {
	cell    *cell
	best    *impl
	ratio   *result.Ratio
	verdict verdict
}

func summarize(g group) summary {
	s := summary{name: g.name}
	for _, c := range g.cells {
		if c.first().Failed != "" {
			s.failed++
		}
		if im, q, v := c.best(); im != nil {
			s.points = append(s.points, point{c, im, q, v})
			s.tally[v]++
		}
	}
	s.mean, s.lo, s.hi = spread(ratios(s.points))
	return s
}

// summaries are those of the groups that are held against others, or failed to be.
func summaries(gs []group) (all []summary) {
	for _, g := range gs {
		if s := summarize(g); len(s.points) > 0 || s.failed > 0 {
			all = append(all, s)
		}
	}
	return all
}

func ratios(points []point) (v []float64) {
	for _, p := range points {
		v = append(v, p.ratio.Value)
	}
	return v
}

// spread returns the geometric mean, the least and the most of positive ratios.
func spread(ratios []float64) (mean, lo, hi float64) {
	logs := 0.0
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, r := range ratios {
		logs += math.Log(r)
		lo, hi = min(lo, r), max(hi, r)
	}
	return math.Exp(logs / float64(len(ratios))), lo, hi
}

// chosen are the cases of one verdict, the least ratio first.
func chosen(all []summary, v verdict) (points []point) {
	for _, s := range all {
		for _, p := range s.points {
			if p.verdict == v {
				points = append(points, p)
			}
		}
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.ratio.Value, b.ratio.Value) })
	return points
}
