package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// curve is one implementation's line in a chart; NaN where it has no figure.
type curve struct {
	name   string
	colour string
	values []float64
}

// latencyCards makes a chart per case that reports quantiles: the further to the
// right, the rarer the wait.
func latencyCards(g group, col map[string]string) (cards []htmlCard) {
	for _, c := range g.cells {
		units := quantiles(c)
		if len(units) < 2 {
			continue
		}
		names := make([]string, len(units))
		for i, u := range units {
			names[i] = quantileName(u)
		}
		var curves []curve
		for i := range c.impls {
			cv := curve{name: c.impls[i].row.Impl, colour: col[c.impls[i].row.Impl]}
			for _, u := range units {
				cv.add(c.impls[i].row.Value(u))
			}
			curves = append(curves, cv)
		}
		if s := curveChart(c.group+"/"+c.title(), names, curves, "p50-ns"); s != nil {
			s.Alt = c.name + ": latency by quantile"
			cards = append(cards, htmlCard{Title: c.title(), Sub: c.doc, Axis: "Latency by quantile; lower is better", Chart: s, Legend: curveLegend(curves)})
		}
	}
	return cards
}

func (c *curve) add(v float64, ok bool) {
	if !ok || !(v > 0) {
		v = math.NaN()
	}
	c.values = append(c.values, v)
}

// quantiles returns the units of the form p99-ns that the cell's implementations
// report, the smallest quantile first.
func quantiles(c *cell) []string {
	var units []string
	for _, u := range c.shownMetrics() {
		if rank(u) > 0 {
			units = append(units, u)
		}
	}
	slices.SortFunc(units, func(a, b string) int {
		if rank(a) < rank(b) {
			return -1
		}
		return 1
	})
	return units
}

// rank reads p50-ns as 0.50, p999-ns as 0.999 and max-ns as 1; 0 is anything else.
func rank(unit string) float64 {
	if unit == "max-ns" {
		return 1
	}
	s, ok := strings.CutSuffix(unit, "-ns")
	if !ok || len(s) < 3 || s[0] != 'p' {
		return 0
	}
	v, err := strconv.ParseFloat("0."+s[1:], 64)
	if err != nil || v >= 1 {
		return 0
	}
	return v
}

func quantileName(unit string) string {
	if unit == "max-ns" {
		return "max"
	}
	s := strings.TrimSuffix(unit, "-ns")
	if len(s) > 3 {
		s = s[:3] + "." + s[3:]
	}
	return s
}

// scalingCards makes a chart per case that was measured at several GOMAXPROCS.
func scalingCards(g group, col map[string]string) (cards []htmlCard) {
	seen := make(map[string]bool)
	for _, c := range g.cells {
		var at []*cell
		for _, o := range g.cells {
			if o.name == c.name {
				at = append(at, o)
			}
		}
		if len(at) < 2 || seen[c.name] {
			continue
		}
		seen[c.name] = true
		slices.SortFunc(at, func(a, b *cell) int { return a.cpus - b.cpus })
		names := make([]string, len(at))
		var curves []curve
		for k, o := range at {
			names[k] = strconv.Itoa(o.cpus)
			for i := range o.impls {
				n := o.impls[i].row.Impl
				j := slices.IndexFunc(curves, func(cv curve) bool { return cv.name == n })
				if j < 0 {
					j = len(curves)
					curves = append(curves, curve{name: n, colour: col[n]})
				}
				for len(curves[j].values) < k {
					curves[j].add(0, false)
				}
				curves[j].add(o.impls[i].row.Value(c.metric()))
			}
		}
		if s := curveChart(c.group+"/"+c.name, names, curves, c.metric()); s != nil {
			s.Alt = c.name + ": " + unitName(c.metric()) + " by GOMAXPROCS"
			cards = append(cards, htmlCard{Title: c.name, Sub: c.doc, Axis: "By GOMAXPROCS: " + unitName(c.metric()) + "; lower is better", Chart: s, Legend: curveLegend(curves)})
		}
	}
	return cards
}

// curveChart draws curves over named places on a logarithmic scale; nil when
// there is nothing to draw.
func curveChart(title string, places []string, curves []curve, unit string) *svg {
	lo, hi := math.Inf(1), 0.0
	for _, c := range curves {
		for _, v := range c.values {
			if v > 0 {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if hi == 0 {
		return nil
	}
	const left, top, bottom = 52, 8, 190
	s := &svg{Width: cardWidth, Height: bottom + 24}
	y := newLogScale(lo, hi, bottom-6, top+6)
	x := func(i int) float64 {
		step := float64(cardWidth-left) / float64(len(places))
		return left + step*(float64(i)+0.5)
	}
	for _, t := range y.ticks(6) {
		s.grid(left, y.at(t), cardWidth, y.at(t), "grid")
		s.text(left-6, y.at(t)+4, "end tick", figure(t, unit))
	}
	for i, p := range places {
		s.text(x(i), bottom+18, "mid tick", p)
	}
	for _, c := range slices.Backward(curves) { // the leading one is drawn last, on top
		for i, v := range c.values {
			if math.IsNaN(v) {
				continue
			}
			if i > 0 && !math.IsNaN(c.values[i-1]) {
				s.line(x(i-1), y.at(c.values[i-1]), x(i), y.at(v), "curve "+c.colour)
			}
			s.dot(x(i), y.at(v), 4, "fill "+c.colour, title+": "+c.name+" "+places[i]+" "+figure(v, unit))
		}
	}
	return s
}

// curveLegend lists the curves that have anything to draw.
func curveLegend(curves []curve) (items []legendItem) {
	for _, c := range curves {
		if slices.ContainsFunc(c.values, func(v float64) bool { return v > 0 }) {
			items = append(items, legendItem{Name: c.name, Class: c.colour})
		}
	}
	return items
}
