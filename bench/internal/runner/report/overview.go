package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// peerChart has a row per baseline of the group: over the cases that it is a
// baseline of, how many times as much it takes. Nil without ratios.
func peerChart(g group, col map[string]int) *svg {
	type peer struct {
		name         string
		ratios       []float64
		mean, lo, hi float64
	}
	var peers []*peer
	lo, hi := 1.0, 1.0
	for _, c := range g.cells {
		for i := range c.impls {
			im := &c.impls[i]
			q := im.ratios[c.metric()]
			if !im.declared || c.own(im) || q == nil || !(q.Value > 0) {
				continue
			}
			k := slices.IndexFunc(peers, func(p *peer) bool { return p.name == im.row.Impl })
			if k < 0 {
				k = len(peers)
				peers = append(peers, &peer{name: im.row.Impl})
			}
			peers[k].ratios = append(peers[k].ratios, q.Value)
			lo, hi = min(lo, q.Value), max(hi, q.Value)
		}
	}
	if len(peers) == 0 {
		return nil
	}
	for _, p := range peers {
		p.mean, p.lo, p.hi = spread(p.ratios)
	}
	slices.SortStableFunc(peers, func(a, b *peer) int { return compare(a.mean, b.mean) })
	const row = 34
	s := &svg{Width: cardWidth, Height: float64(len(peers))*row + 24, Alt: "How many times as much each alternative takes, over all cases of " + g.name}
	sc := newLogScale(lo, hi, nameColumn(g), cardWidth-56)
	s.ratioAxis(sc, 0, float64(len(peers))*row, 5)
	for i, p := range peers {
		y := float64(i)*row + row/2
		s.text(0, y, "name", clip(p.name))
		s.text(0, y+12, "tick", cases(len(p.ratios)))
		s.spreadRow(sc, y, p.ratios, colourClass("fill", col[p.name]), p.mean, p.lo, p.hi)
	}
	return s
}

// spreadRow draws ratios at the height y, with their range and mean.
func (s *svg) spreadRow(sc logScale, y float64, ratios []float64, class string, mean, lo, hi float64) {
	s.bar(sc.at(lo), y-3, sc.at(hi)-sc.at(lo), 6, class+" range", fmt.Sprintf("%s to %s", times(lo), times(hi)))
	for _, r := range ratios {
		s.dot(sc.at(r), y, 3.5, class+" case", times(r))
	}
	s.line(sc.at(mean), y-9, sc.at(mean), y+9, "mean")
	s.text(s.Width, y+4, valueClass(mean), times(mean))
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

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func cases(n int) string {
	if n == 1 {
		return "1 case"
	}
	return strconv.Itoa(n) + " cases"
}

// kindCards shows all cases that hold the leading implementation against others,
// a card for each kind, which is the first part of a case's name, and in it a row
// per case with a dot per baseline.
func kindCards(g group, col map[string]int) (cards []htmlCard) {
	var kinds []string
	of := make(map[string][]*cell)
	lo, hi := 1.0, 1.0
	for _, c := range g.cells {
		if !c.judges() {
			continue
		}
		kind, _, _ := strings.Cut(c.name, "/")
		if of[kind] == nil {
			kinds = append(kinds, kind)
		}
		of[kind] = append(of[kind], c)
		for i := range c.impls {
			if q := c.impls[i].ratios[c.metric()]; q != nil && c.impls[i].declared {
				lo, hi = min(lo, q.Value), max(hi, q.Value)
			}
		}
	}
	sc := newLogScale(lo, hi, 14, cardWidth-6)
	for _, kind := range kinds {
		doc := of[kind][0].doc
		if slices.ContainsFunc(of[kind], func(c *cell) bool { return c.doc != doc }) {
			doc = ""
		}
		parts := (len(of[kind]) + mostRows - 1) / mostRows
		part := (len(of[kind]) + parts - 1) / parts
		for rest := range slices.Chunk(of[kind], part) {
			cards = append(cards, htmlCard{Title: kind, Sub: doc, Chart: kindChart(kind, rest, sc, col)})
			doc = "continued"
		}
	}
	return cards
}

const mostRows = 14 // of a card, so that cards beside each other differ less in height

func kindChart(kind string, cells []*cell, sc logScale, col map[string]int) *svg {
	const row = 34
	s := &svg{Width: cardWidth, Height: float64(len(cells))*row + 24, Alt: kind + ": how many times as much each alternative takes"}
	s.ratioAxis(sc, float64(len(cells))*row, float64(len(cells))*row, 6)
	for i, c := range cells {
		y := float64(i)*row + 24 // of the dots; a line of text is above
		im, best := c.nearest(func(*impl) bool { return true })
		if im == nil {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(c.name, kind), "/")
		if c.several {
			name += "-" + strconv.Itoa(c.cpus)
		}
		if c.metric() != "ns/op" {
			name = strings.TrimPrefix(name+", "+unitName(c.metric()), ", ")
		}
		right := cardWidth - textWidth(times(best.Value)) - 14 // of the baseline's name
		if room := right - textWidth(im.row.Impl) - 14; textWidth(name) > room {
			name = cut(name, room)
		}
		s.text(0, y-10, "name", strings.TrimSpace(name))
		s.text(right, y-10, "end tick", clip(im.row.Impl))
		s.text(cardWidth, y-10, valueClass(best.Value), times(best.Value))
		s.bar(sc.from, y-1.5, sc.to-sc.from, 3, "track", "")
		s.grid(sc.at(1), y-8, sc.at(1), y+8, "one")
		for k := range slices.Backward(c.impls) {
			o := &c.impls[k]
			if q := o.ratios[c.metric()]; q != nil && o.declared {
				tip := o.row.Impl + ": " + times(q.Value)
				if iv := span(q); iv != "" {
					tip += ", 95 % interval " + iv
				}
				s.dot(sc.at(q.Value), y, 4.5, colourClass("fill", col[o.row.Impl]), tip)
			}
		}
	}
	return s
}

// cut shortens a name to a width, at its end.
func cut(name string, width float64) string {
	r := []rune(name)
	for len(r) > 1 && textWidth(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// valueClass is the class of a ratio's text: one below 1 stands out.
func valueClass(ratio float64) string {
	if ratio < 1 {
		return "end value behind"
	}
	return "end value"
}
