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
	group   string
	cpus    int
	doc     string
	odd     bool     // the GOMAXPROCS is not the one that goes without saying
	metrics []string // what the implementations are compared by
	impls   []impl   // the first is the one that is held against the others
}

// impl is one implementation in a cell, with the ratio of the cell's first
// implementation against it: above 1, the first one is better.
type impl struct {
	row      *result.Row // its own figures
	ratios   map[string]*result.Ratio
	declared bool // one of the case's baselines
	own      bool // no alternative: see [result.OwnName]
}

func (c *cell) metric() string { return c.metrics[0] }

// first returns the implementation that the others are held against.
func (c *cell) first() *result.Row { return c.impls[0].row }

// groups arranges the rows of a run for showing. Groups that hold nobody against
// others are background, and come last.
func groups(r *result.Run) []group {
	var gs []group
	cells := make(map[string]*cell)
	for i := range r.Rows {
		row := &r.Rows[i]
		gi := slices.IndexFunc(gs, func(g group) bool { return g.name == row.Group })
		if gi < 0 {
			gi = len(gs)
			gs = append(gs, group{name: row.Group})
		}
		key := row.Key() + "\x00" + strconv.Itoa(row.CPUs)
		c := cells[key]
		if c == nil {
			c = newCell(row, r.Info.Machine.MaxPs)
			for _, o := range gs[gi].cells {
				if o.name == c.name {
					o.odd, c.odd = true, true
				}
			}
			cells[key] = c
			gs[gi].cells = append(gs[gi].cells, c)
		}
		c.add(row)
	}
	slices.SortStableFunc(gs, func(a, b group) int { return a.rank() - b.rank() })
	return gs
}

func newCell(r *result.Row, usualCPUs int) *cell {
	c := &cell{name: r.Case, group: r.Group, cpus: r.CPUs, doc: opOf(r.Doc), metrics: r.Compare, odd: usualCPUs > 0 && r.CPUs != usualCPUs}
	if len(c.metrics) == 0 {
		c.metrics = []string{result.NsPerOp}
	}
	return c
}

// opOf says that a case's sentence is of one op, where it does not say so itself.
func opOf(doc string) string {
	if doc == "" || strings.Contains(strings.ToLower(doc), "one op") {
		return doc
	}
	return "One op: " + strings.ToLower(doc[:1]) + doc[1:]
}

// rank is 1 for a group that judges nobody.
func (g group) rank() int {
	if slices.ContainsFunc(g.cells, (*cell).judges) {
		return 0
	}
	return 1
}

// judges says whether the case holds its first implementation against others.
func (c *cell) judges() bool {
	for i := range c.impls {
		if c.impls[i].declared && len(c.impls[i].ratios) > 0 {
			return true
		}
	}
	return false
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
	own := r.Own || result.OwnName(r.Impl)
	if at(r.Impl) == nil {
		c.impls = append(c.impls, impl{row: r, own: own && len(c.impls) > 0})
	} else if im := at(r.Impl); im.row.Baseline == "" && im.row.Rounds == 0 && r.Baseline == "" {
		im.row, im.own = r, own // the stand-in of a pair's baseline
	}
	if r.Baseline == "" {
		return
	}
	b := at(r.Baseline)
	if b == nil {
		c.impls = append(c.impls, impl{
			row: &result.Row{Group: r.Group, Case: r.Case, Impl: r.Baseline, CPUs: r.CPUs},
			own: result.OwnName(r.Baseline),
		})
		b = &c.impls[len(c.impls)-1]
	}
	b.ratios, b.declared = r.Ratios, !r.Extra
}
