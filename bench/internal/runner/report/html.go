package report

import (
	"embed"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

//go:embed page.tmpl style
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.tmpl"))

// The style sheets: the colours of a light page and of a dark one, and what a chart
// looks like, with a page around it or without.
var (
	lightColours, darkColours = sheet("light"), sheet("dark")

	chartStyle = sheet("chart")
	pageStyle  = template.CSS(":root{" + lightColours + "}\n@media (prefers-color-scheme:dark){:root{" + darkColours + "}}\n" + sheet("page") + chartStyle)
)

func sheet(name string) string {
	text, err := files.ReadFile("style/" + name + ".css")
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

// HTML writes the run as one page with plots. It opens offline: no script, and
// nothing is fetched from anywhere.
func HTML(w io.Writer, r *result.Run) error {
	p := htmlPage{
		Style: pageStyle, Command: r.Info.Command, Facts: circumstances(r.Info), Ended: r.Info.Ended, Race: r.Info.Race,
		CPUs: r.Info.Machine.MaxPs,
	}
	gs := groups(r)
	all := summaries(gs)
	p.Summary = summaryChart(all, cardWidth)
	t := total(all)
	p.Tally, p.Cases = t.String(), Count(t.sum(), "case")
	p.Verdicts = verdictLegend(t)
	for _, g := range gs {
		p.Groups = append(p.Groups, htmlGroupOf(g))
	}
	return page.Execute(w, p)
}

type htmlPage struct {
	Style    template.CSS
	Command  string
	Facts    []string
	Ended    string
	Race     bool
	CPUs     int
	Summary  *svg
	Tally    string
	Cases    string
	Verdicts []legendItem
	Groups   []htmlGroup
}

type htmlGroup struct {
	Name     string
	Headline string
	Peers    *htmlCard
	Kinds    []htmlCard
	Ratios   []htmlCard
	Latency  []htmlCard
	Scaling  []htmlCard
	Tables   []htmlTable
	Names    []configured
	Failures []string
}

// legendItem is a line of a card's legend; Class has the colour.
type legendItem struct{ Name, Class string }

// verdictLegend lists the verdicts that there are.
func verdictLegend(t tally) (items []legendItem) {
	for _, v := range []verdict{ahead, level, behind} {
		if t[v] > 0 {
			items = append(items, legendItem{v.String(), "v-" + v.String()})
		}
	}
	return items
}

// configured is an implementation and how it is set up; where cases differ in that,
// each way.
type configured struct{ Name, Config string }

// htmlCard is one small chart with its heading.
type htmlCard struct {
	Title  string
	Sub    string // what one op is
	Axis   string // what is drawn
	Chart  *svg
	Legend []legendItem // what the chart itself does not name
}

type htmlTable struct {
	Title, Doc string
	Head       []string
	Rows       [][]string
	Noted      bool
}

// Colours that the style sheet has for others' implementations, and shades for
// variants of the leading one, which has the colour c0.
const (
	numColours = 12
	numShades  = 4
)

// colours gives every implementation of a group a colour of its own, as a class of
// the style sheet: by order of appearance, baselines first.
func colours(g group) map[string]string {
	lead := g.cells[0].first().Impl
	of := map[string]string{lead: "c0"}
	others, own := 0, 0
	for _, declared := range []bool{true, false} {
		for _, c := range g.cells {
			for i := range c.impls {
				im := &c.impls[i]
				if of[im.row.Impl] != "" || im.declared != declared {
					continue
				}
				if im.own || result.OwnName(im.row.Impl) {
					of[im.row.Impl] = "o" + strconv.Itoa(own%numShades+1)
					own++
				} else {
					of[im.row.Impl] = "c" + strconv.Itoa(others%numColours+1)
					others++
				}
			}
		}
	}
	return of
}

func htmlGroupOf(g group) htmlGroup {
	col := colours(g)
	h := htmlGroup{Name: g.name, Headline: headline(g)}
	for _, c := range g.cells {
		for i := range c.impls {
			r := c.impls[i].row
			if t := troubleOf(r); t != "" {
				h.Failures = append(h.Failures, c.title()+": "+t)
			}
			h.Names = addConfig(h.Names, r)
		}
		h.Tables = append(h.Tables, htmlTableOf(c))
	}
	if s := peerChart(g, col); s != nil {
		h.Peers = &htmlCard{Title: "Each alternative over all cases", Sub: "A dot is a case, whose op its own card tells.", Axis: "Its time ÷ poundlock's, or what else the case is about", Chart: s}
	}
	h.Kinds = kindCards(g, col)
	h.Ratios = ratioCards(g, col)
	h.Latency = latencyCards(g, col)
	h.Scaling = scalingCards(g, col)
	return h
}

func addConfig(names []configured, r *result.Row) []configured {
	if r.Config == "" {
		return names
	}
	i := slices.IndexFunc(names, func(n configured) bool { return n.Name == r.Impl })
	switch {
	case i < 0:
		return append(names, configured{r.Impl, r.Config})
	case !slices.Contains(strings.Split(names[i].Config, " · or "), r.Config):
		names[i].Config += " · or " + r.Config
	}
	return names
}

func headline(g group) string {
	s := summarize(g)
	if len(s.points) == 0 {
		return ""
	}
	h := s.tally.String() + " of " + Count(len(s.points), "case") + "; the best alternative's time ÷ poundlock's is " + times(s.mean)
	if len(s.points) > 1 {
		h += " in the mean, " + times(s.lo) + " to " + times(s.hi)
	}
	return h
}

func htmlTableOf(c *cell) htmlTable {
	t := htmlTable{Title: c.title(), Doc: c.doc}
	extra := c.shownMetrics()
	t.Head = append([]string{"", "time/op", "CPU/op", "bytes/op", "allocs/op"}, extra...)
	for _, m := range c.metrics {
		t.Head = append(t.Head, unitName(m)+" ÷ "+c.first().Impl+"'s")
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
