package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// summaryChart shows every group in one picture: a dot per case, how many times
// as much the best baseline takes, and their geometric mean. Nil without ratios.
func summaryChart(gs []group) *svg {
	var sums []summary
	lo, hi := 1.0, 1.0
	for _, g := range gs {
		if s := summarize(g); len(s.ratios) > 0 {
			sums = append(sums, s)
			lo, hi = min(lo, s.lo), max(hi, s.hi)
		}
	}
	if len(sums) == 0 {
		return nil
	}
	const row, left, right = 40, 108, cardWidth - 52
	s := &svg{Width: cardWidth, Height: float64(len(sums))*row + 24, Alt: "How many times as much the best alternative takes, per package"}
	sc := newLogScale(lo, hi, left, right)
	s.ratioAxis(sc, 0, float64(len(sums))*row, 6)
	for i, m := range sums {
		y := float64(i)*row + row/2 // the middle of the row
		s.text(0, y-1, "name", clip(m.name))
		s.text(0, y+12, "tick", fmt.Sprintf("ahead in %d of %d", m.ahead, len(m.ratios)))
		s.spreadRow(sc, y, m.ratios, "fill c0", m.mean, m.lo, m.hi)
	}
	return s
}

// ratioAxis draws the vertical lines of a ratio scale with labels below.
func (s *svg) ratioAxis(sc logScale, top, bottom float64, most int) {
	last := math.Inf(-1)
	for _, t := range sc.ticks(most) {
		class := "grid"
		if t == 1 {
			class = "one"
		}
		x := sc.at(t)
		s.grid(x, top, x, bottom+4, class)
		label := strconv.FormatFloat(t, 'f', -1, 64) + "×"
		if t < 1e-4 || t >= 1e6 {
			label = strconv.FormatFloat(t, 'g', -1, 64) + "×"
		}
		half := textWidth(label) / 2
		if x-half > last+4 && x+half <= s.Width+2 && x-half >= -2 {
			s.text(x, bottom+18, "mid tick", label)
			last = x + half
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

// ratioCards makes a bar chart per case: how many times as long each other
// implementation takes, with its interval, on one scale for the whole group.
// Cases that judge nobody get the figures themselves.
func ratioCards(g group, col map[string]int) (cards []htmlCard) {
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

// judges says whether the case holds its first implementation against others.
func (c *cell) judges() bool {
	for i := range c.impls {
		if c.impls[i].declared && len(c.impls[i].ratios) > 0 {
			return true
		}
	}
	return false
}

const rowHeight = 21

func ratioChart(c *cell, sc logScale, col map[string]int) *svg {
	s := &svg{Width: cardWidth, Alt: c.name + ": ratio to each baseline"}
	y := 0.0
	for _, m := range c.metrics {
		top := y
		unit := unitName(m)
		if v, ok := c.first().Value(m); ok {
			unit += " · " + c.first().Impl + " " + figure(v, m)
		}
		s.text(0, y+12, "metric", unit)
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
			ratioRow(s, sc, y, im, q, m, col[im.row.Impl])
			y += rowHeight
		}
		if n == 0 {
			s.Texts = s.Texts[:len(s.Texts)-1]
			y = top
			continue
		}
		s.ratioAxis(sc, bars, y, 5)
		y += 28
	}
	if y == 0 {
		return nil
	}
	s.Height = y
	return s
}

func ratioRow(s *svg, sc logScale, y float64, im *impl, q *result.Ratio, metric string, colour int) {
	one, at := sc.at(1), sc.at(q.Value)
	tip := im.row.Impl + ": " + times(q.Value)
	if iv := span(q); iv != "" {
		tip += ", 95 % interval " + iv
	}
	if v, ok := im.row.Value(metric); ok {
		tip += ", " + figure(v, metric)
	}
	class := "name"
	if !im.declared {
		class += " soft"
	}
	s.text(0, y+14, class, clip(im.row.Impl))
	s.bar(min(one, at), y+3, max(math.Abs(at-one), 1), 14, colourClass("fill", colour), tip)
	if lo, hi, ok := q.Interval(); ok {
		a, b := sc.at(lo), sc.at(hi)
		s.line(a, y+10, b, y+10, "whisker")
		s.line(a, y+7, a, y+13, "whisker")
		s.line(b, y+7, b, y+13, "whisker")
	}
	s.text(cardWidth, y+14, valueClass(q.Value), times(q.Value))
}

// figureChart shows the figures of the case's first metric from zero on.
func figureChart(c *cell, left float64, col map[string]int) *svg {
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
		s.bar(left, y+3, max((cardWidth-64-left)*v/most, 1), 14, colourClass("fill", col[r.Impl]), r.Impl+": "+text)
		s.text(cardWidth, y+14, "end value", text)
		y += rowHeight
	}
	s.Height = y + 4
	return s
}
