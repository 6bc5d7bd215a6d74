package report

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strconv"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

//go:embed page.tmpl
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// HTML writes the run as one page with plots. It opens offline: no script, and
// nothing is fetched from anywhere.
func HTML(w io.Writer, r *result.Run) error {
	p := htmlPage{Command: r.Info.Command, Facts: circumstances(r.Info), Ended: r.Info.Ended, Race: r.Info.Race}
	gs := groups(r.Rows)
	p.Summary = summaryChart(gs)
	// What holds nobody against others is background, and comes last.
	judging := func(g group) bool { return slices.ContainsFunc(g.cells, (*cell).judges) }
	for _, first := range []bool{true, false} {
		for _, g := range gs {
			if judging(g) == first {
				p.Groups = append(p.Groups, htmlGroupOf(g))
			}
		}
	}
	return page.Execute(w, p)
}

type htmlPage struct {
	Command string
	Facts   []string
	Ended   string
	Race    bool
	Summary *svg
	Groups  []htmlGroup
}

type htmlGroup struct {
	Name     string
	Headline string
	Legend   []legendItem
	Peers    *svg
	Kinds    []htmlCard
	Ratios   []htmlCard
	Latency  []htmlCard
	Scaling  []htmlCard
	Tables   []htmlTable
	Failures []string
}

type legendItem struct {
	Name, Config string
	Color        int
}

// htmlCard is one small chart with its heading.
type htmlCard struct {
	Title, Sub string
	Chart      *svg
}

type htmlTable struct {
	Title, Doc string
	Head       []string
	Rows       [][]string
	Noted      bool
}

// colours gives every implementation of a group a colour of its own, by order of
// appearance, baselines first; the leading ones have colour 0.
func colours(g group) map[string]int {
	of := make(map[string]int)
	for _, c := range g.cells {
		of[c.first().Impl] = 0
	}
	next := 1
	for _, declared := range []bool{true, false} {
		for _, c := range g.cells {
			for i := range c.impls {
				n := c.impls[i].row.Impl
				if _, ok := of[n]; !ok && c.impls[i].declared == declared {
					of[n] = (next-1)%numColours + 1
					next++
				}
			}
		}
	}
	return of
}

// numColours is how many the style sheet has beside the leading one.
const numColours = 9

func htmlGroupOf(g group) htmlGroup {
	col := colours(g)
	h := htmlGroup{Name: g.name, Headline: headline(g)}
	for _, c := range g.cells {
		for i := range c.impls {
			r := c.impls[i].row
			if t := troubleOf(r); t != "" {
				h.Failures = append(h.Failures, c.title()+": "+t)
			}
			if !slices.ContainsFunc(h.Legend, func(l legendItem) bool { return l.Name == r.Impl }) {
				h.Legend = append(h.Legend, legendItem{r.Impl, r.Config, col[r.Impl]})
			}
		}
		h.Tables = append(h.Tables, htmlTableOf(c))
	}
	h.Peers = peerChart(g, col)
	h.Kinds = kindCards(g, col)
	h.Ratios = ratioCards(g, col)
	h.Latency = latencyCards(g, col)
	h.Scaling = scalingCards(g, col)
	return h
}

func headline(g group) string {
	s := summarize(g)
	if len(s.ratios) == 0 {
		return ""
	}
	if len(s.ratios) == 1 {
		return "The best alternative takes " + times(s.mean) + " as much"
	}
	return "Ahead of the best alternative in " + strconv.Itoa(s.ahead) + " of " + strconv.Itoa(len(s.ratios)) + " cases: it takes " +
		times(s.mean) + " as much in their mean (" + times(s.lo) + " to " + times(s.hi) + ")"
}

func htmlTableOf(c *cell) htmlTable {
	t := htmlTable{Title: c.title(), Doc: c.doc}
	extra := c.shownMetrics()
	t.Head = append([]string{"", "time/op", "CPU/op", "bytes/op", "allocs/op"}, extra...)
	for _, m := range c.metrics {
		t.Head = append(t.Head, unitName(m)+" vs "+c.first().Impl)
	}
	for i := range c.impls {
		im := &c.impls[i]
		r := im.row
		name := r.Impl
		if r.Doubtful() {
			name += " !"
			t.Noted = true
		}
		if troubleOf(r) != "" {
			what := "failed"
			if r.Failed == "" {
				what = "skipped"
			}
			row := make([]string, len(t.Head))
			row[0], row[1] = name, what
			t.Rows = append(t.Rows, row)
			continue
		}
		row := []string{name}
		for _, u := range append([]string{result.NsPerOp, result.CPUPerOp, result.BytesPerOp, result.AllocsPerOp}, extra...) {
			row = append(row, valueOf(r, u))
		}
		for _, m := range c.metrics {
			row = append(row, withSpan(im.ratios[m]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
