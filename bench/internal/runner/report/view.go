package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// group is a package's cases in the order they were declared.
type group struct {
	name  string
	cells []*cell
}

// cell is one case at one GOMAXPROCS with all its implementations.
type cell struct {
	name    string // the case
	cpus    int
	doc     string
	several bool     // the group has the case at several GOMAXPROCS
	metrics []string // what the implementations are compared by
	impls   []impl   // the first is the one that is held against the others
}

// impl is one implementation in a cell, with the ratio of the cell's first
// implementation against it: above 1, the first one is better.
type impl struct {
	row      *result.Row // its own figures
	ratios   map[string]*result.Ratio
	declared bool // one of the case's baselines
}

func (c *cell) metric() string { return c.metrics[0] }

// first returns the implementation that the others are held against.
func (c *cell) first() *result.Row { return c.impls[0].row }

// best returns the alternative that comes closest to the first implementation (or
// furthest ahead of it) in the cell's first metric: of the declared baselines
// those that are somebody else's.
func (c *cell) best() (im *impl, ratio *result.Ratio) {
	return c.nearest(func(im *impl) bool { return !c.own(im) })
}

// nearest returns the nearest of those declared baselines that count.
func (c *cell) nearest(counts func(*impl) bool) (im *impl, ratio *result.Ratio) {
	for i := range c.impls {
		r := c.impls[i].ratios[c.metric()]
		if c.impls[i].declared && r != nil && counts(&c.impls[i]) && (ratio == nil || r.Value < ratio.Value) {
			im, ratio = &c.impls[i], r
		}
	}
	return im, ratio
}

// own says whether a baseline is the first implementation itself without one of
// its features, or no implementation at all: such a case tells what a feature
// costs, and is no comparison with others.
func (c *cell) own(im *impl) bool {
	return strings.HasPrefix(im.row.Impl, c.first().Impl+"-") || slices.Contains([]string{"nothing", "quiet", "unwatched"}, im.row.Impl)
}

// groups arranges the rows of a run for showing.
func groups(rows []result.Row) []group {
	var gs []group
	cells := make(map[string]*cell)
	for i := range rows {
		r := &rows[i]
		gi := slices.IndexFunc(gs, func(g group) bool { return g.name == r.Group })
		if gi < 0 {
			gi = len(gs)
			gs = append(gs, group{name: r.Group})
		}
		key := r.Key() + "\x00" + strconv.Itoa(r.CPUs)
		c := cells[key]
		if c == nil {
			c = &cell{name: r.Case, cpus: r.CPUs, doc: r.Doc, metrics: r.Compare}
			if len(c.metrics) == 0 {
				c.metrics = []string{result.NsPerOp}
			}
			for _, o := range gs[gi].cells {
				if o.name == c.name {
					o.several, c.several = true, true
				}
			}
			cells[key] = c
			gs[gi].cells = append(gs[gi].cells, c)
		}
		c.add(r)
	}
	return gs
}

// shownMetrics are the metrics of the cell that a table gives a column of their
// own: those that the implementations report or are compared by.
func (c *cell) shownMetrics() (units []string) {
	for i := range c.impls {
		for u := range c.impls[i].row.Metrics {
			hide := u == result.Cores || u == result.PeakBytes
			if (!hide || slices.Contains(c.metrics, u)) && !slices.Contains(units, u) {
				units = append(units, u)
			}
		}
	}
	slices.Sort(units)
	return units
}

func (c *cell) add(r *result.Row) {
	at := func(name string) *impl {
		for i := range c.impls {
			if c.impls[i].row.Impl == name {
				return &c.impls[i]
			}
		}
		return nil
	}
	if at(r.Impl) == nil {
		c.impls = append(c.impls, impl{row: r})
	} else if im := at(r.Impl); im.row.Baseline == "" && im.row.Rounds == 0 && r.Baseline == "" {
		im.row = r // the stand-in of a pair's baseline
	}
	if r.Baseline == "" {
		return
	}
	b := at(r.Baseline)
	if b == nil {
		c.impls = append(c.impls, impl{row: &result.Row{Group: r.Group, Case: r.Case, Impl: r.Baseline, CPUs: r.CPUs}})
		b = &c.impls[len(c.impls)-1]
	}
	b.ratios, b.declared = r.Ratios, !r.Extra
}

// summary is how a group's first implementations do against the best baseline of
// each case.
type summary struct {
	name         string
	ratios       []float64 // one per case
	mean, lo, hi float64   // geometric mean, least, most
	ahead        int       // cases in which even the best baseline takes longer
	failed       int
}

func summarize(g group) summary {
	s := summary{name: g.name}
	for _, c := range g.cells {
		if c.first().Failed != "" {
			s.failed++
		}
		if _, r := c.best(); r != nil {
			s.ratios = append(s.ratios, r.Value)
			if r.Value >= 1 {
				s.ahead++
			}
		}
	}
	s.mean, s.lo, s.hi = spread(s.ratios)
	return s
}
