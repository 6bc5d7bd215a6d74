package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// summaryChart shows every group in one picture: a dot per case, at the best
// alternative's figure over ours. Nil without ratios.
func summaryChart(all []summary, width float64) *svg {
	sc := logScale{lo: 1, hi: 1}
	var rows []pointsRow
	for _, m := range all {
		if len(m.points) == 0 {
			continue
		}
		row := pointsRow{name: m.name, tally: m.tally, mean: m.mean}
		for _, p := range m.points {
			row.dots = append(row.dots, dotOf(p.cell, p.best, p.ratio, "v-"+p.verdict.String()+" case"))
		}
		rows = append(rows, row)
		sc.lo, sc.hi = min(sc.lo, m.lo), max(sc.hi, m.hi)
	}
	if rows == nil {
		return nil
	}
	return pointsChart(rows, newLogScale(sc.lo, sc.hi, 8, width-8), width, "The best alternative's time ÷ poundlock's, a dot per case and a row per package")
}

// pointsRow is a row of a chart: a name, counts and a mean above, dots below.
type pointsRow struct {
	name  string
	tally tally
	mean  float64
	dots  []svgDot // without a place
}

func pointsChart(rows []pointsRow, sc logScale, width float64, alt string) *svg {
	const height = 46
	bottom := float64(len(rows)) * height
	s := &svg{Width: width, Height: bottom + 24, Alt: alt}
	s.ratioAxis(sc, 0, 0, bottom, int(width/60))
	for i, row := range rows {
		top := float64(i) * height
		s.text(0, top+14, "name", clip(row.name))
		s.text(width, top+14, "end tick", row.tally.String()+" · mean "+times(row.mean))
		for _, d := range row.dots {
			s.dot(sc.at(d.ratio), top+30, 4, d.Class, d.Tip)
		}
		s.line(sc.at(row.mean), top+22, sc.at(row.mean), top+38, "mean")
	}
	return s
}

// dotOf is the dot of an implementation in a case; its tip names both.
func dotOf(c *cell, im *impl, q *result.Ratio, class string) svgDot {
	tip := c.group + "/" + c.title()
	if n := c.quantity(); n != "" {
		tip += ", " + n
	}
	return svgDot{Class: class, ratio: q.Value, Tip: tip + ": " + im.row.Impl + " " + withSpan(q)}
}

// ratioAxis draws the vertical lines of a ratio scale, with labels below; that of
// 1, where both are level, goes up further than the others may.
func (s *svg) ratioAxis(sc logScale, top, oneTop, bottom float64, most int) {
	ticks := sc.ticks(most)
	slices.SortStableFunc(ticks, func(a, b float64) int { // the label of 1 has its place before others
		return cmp.Compare(math.Abs(math.Log(a)), math.Abs(math.Log(b)))
	})
	type room struct{ from, to float64 }
	var taken []room
	for _, t := range ticks {
		x := sc.at(t)
		if t == 1 {
			s.grid(x, oneTop, x, bottom+4, "one")
		} else {
			s.grid(x, top, x, bottom+4, "grid")
		}
		label := strconv.FormatFloat(t, 'f', -1, 64) + "×"
		if t < 1e-4 || t >= 1e6 {
			label = strconv.FormatFloat(t, 'g', -1, 64) + "×"
		}
		half := textWidth(label)/2 + 2
		mid := min(max(x, half), s.Width-half)
		if !slices.ContainsFunc(taken, func(r room) bool { return mid-half < r.to && r.from < mid+half }) {
			s.text(mid, bottom+18, "mid tick", label)
			taken = append(taken, room{mid - half, mid + half})
		}
	}
}

const maxName = 17 // runes of an implementation's name on a card

func clip(name string) string {
	if r := []rune(name); len(r) > maxName {
		return string(r[:maxName-1]) + "…"
	}
	return name
}

// nameColumn is the room that the names of a group's implementations need.
func nameColumn(g group) float64 {
	w := 40.0
	for _, c := range g.cells {
		for i := range c.impls {
			w = max(w, textWidth(clip(c.impls[i].row.Impl)))
		}
	}
	return w + 8
}

// ratioCards makes a bar chart per case: each other implementation's figure over
// the first one's, with its interval, on one scale for the whole group. Cases that
// judge nobody get the figures themselves.
func ratioCards(g group, col map[string]string) (cards []htmlCard) {
	lo, hi := 1.0, 1.0
	for _, c := range g.cells {
		for i := range c.impls {
			for _, m := range c.metrics {
				if q := c.impls[i].ratios[m]; q != nil {
					lo, hi = min(lo, q.Value), max(hi, q.Value)
				}
			}
		}
	}
	left := nameColumn(g)
	sc := newLogScale(lo, hi, left, cardWidth-56)
	for _, c := range g.cells {
		card := htmlCard{Title: c.title(), Sub: c.doc}
		if c.judges() {
			card.Chart = ratioChart(c, sc, col)
		} else {
			card.Chart = figureChart(c, left, col)
		}
		if card.Chart != nil {
			cards = append(cards, card)
		}
	}
	return cards
}

const rowHeight = 21

func ratioChart(c *cell, sc logScale, col map[string]string) *svg {
	s := &svg{Width: cardWidth, Alt: c.name + ": ratio to each alternative"}
	y := 0.0
	for _, m := range c.metrics {
		top := y
		s.text(0, y+12, "metric", cut("Each one's "+unitName(m)+" ÷ "+c.first().Impl+"'s "+valueOf(c.first(), m), cardWidth))
		y += 20
		bars := y
		n := 0
		for i := range c.impls {
			im := &c.impls[i]
			q := im.ratios[m]
			if q == nil {
				if im.row.Failed != "" {
					s.text(0, y+14, "name", clip(im.row.Impl))
					s.text(cardWidth, y+14, "end value behind", "failed")
					y += rowHeight
					n++
				}
				continue
			}
			n++
			ratioRow(s, sc, y, c, im, m, col[im.row.Impl])
			y += rowHeight
		}
		if n == 0 {
			s.Texts = s.Texts[:len(s.Texts)-1]
			y = top
			continue
		}
		s.ratioAxis(sc, bars, bars, y, 5)
		y += 28
	}
	if y == 0 {
		return nil
	}
	s.Height = y
	return s
}

func ratioRow(s *svg, sc logScale, y float64, c *cell, im *impl, metric, colour string) {
	q := im.ratios[metric]
	one, at := sc.at(1), sc.at(q.Value)
	tip := c.group + "/" + c.title() + ": " + im.row.Impl + " " + withSpan(q)
	if v, ok := im.row.Value(metric); ok {
		tip += ", " + figure(v, metric)
	}
	class := "name"
	if !im.declared || im.own {
		class += " soft"
	}
	s.text(0, y+14, class, clip(im.row.Impl))
	s.bar(min(one, at), y+3, max(math.Abs(at-one), 1), 14, "fill "+colour, tip)
	if lo, hi, ok := q.Interval(); ok {
		a, b := sc.at(lo), sc.at(hi)
		s.line(a, y+10, b, y+10, "whisker")
		s.line(a, y+7, a, y+13, "whisker")
		s.line(b, y+7, b, y+13, "whisker")
	}
	s.text(cardWidth, y+14, valueClass(im, q), times(q.Value))
}

// valueClass is the class of a ratio's text: where an alternative is ahead it
// stands out, where nobody is sure to be it steps back, as with what is no
// alternative.
func valueClass(im *impl, q *result.Ratio) string {
	switch v := verdictOf(q); {
	case im.own || v == level:
		return "end value soft"
	case v == behind:
		return "end value behind"
	}
	return "end value"
}

// figureChart shows the figures of the case's first metric from zero on.
func figureChart(c *cell, left float64, col map[string]string) *svg {
	s := &svg{Width: cardWidth, Alt: c.name + ": " + unitName(c.metric())}
	most := 0.0
	for i := range c.impls {
		if v, ok := c.impls[i].row.Value(c.metric()); ok {
			most = max(most, v)
		}
	}
	if most == 0 {
		return nil
	}
	s.text(0, 12, "metric", unitName(c.metric()))
	y := 20.0
	for i := range c.impls {
		r := c.impls[i].row
		v, ok := r.Value(c.metric())
		if !ok {
			continue
		}
		text := figure(v, c.metric())
		s.text(0, y+14, "name", clip(r.Impl))
		s.bar(left, y+3, max((cardWidth-64-left)*v/most, 1), 14, "fill "+col[r.Impl], c.group+"/"+c.title()+": "+r.Impl+" "+text)
		s.text(cardWidth, y+14, "end value", text)
		y += rowHeight
	}
	s.Height = y + 4
	return s
}
