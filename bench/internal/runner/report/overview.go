package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// peerChart has a row per alternative of the group, with a dot for each case that
// it is a baseline of. Nil without ratios.
func peerChart(g group, col map[string]string) *svg {
	var rows []pointsRow
	of := make(map[string]int)
	lo, hi := 1.0, 1.0
	for _, c := range g.cells {
		for _, im := range c.alternatives() {
			q := im.ratios[c.metric()]
			k, ok := of[im.row.Impl]
			if !ok {
				k = len(rows)
				of[im.row.Impl] = k
				rows = append(rows, pointsRow{name: im.row.Impl})
			}
			rows[k].tally[verdictOf(q)]++
			rows[k].dots = append(rows[k].dots, dotOf(c, im, q, "fill "+col[im.row.Impl]+" case"))
			lo, hi = min(lo, q.Value), max(hi, q.Value)
		}
	}
	if rows == nil {
		return nil
	}
	for i := range rows {
		var all []float64
		for _, d := range rows[i].dots {
			all = append(all, d.ratio)
		}
		rows[i].mean, _, _ = spread(all)
	}
	slices.SortStableFunc(rows, func(a, b pointsRow) int { return cmp.Compare(a.mean, b.mean) })
	return pointsChart(rows, newLogScale(lo, hi, 8, cardWidth-8), cardWidth, "Each alternative's figure ÷ poundlock's, over all cases of "+g.name)
}

// kindCards shows all cases that hold the leading implementation against others,
// a card for each kind, which is the first part of a case's name, and in it a row
// per case with a dot per baseline.
func kindCards(g group, col map[string]string) (cards []htmlCard) {
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
	sc := newLogScale(lo, hi, 8, cardWidth-8)
	for _, kind := range kinds {
		parts := (len(of[kind]) + mostRows - 1) / mostRows
		part := (len(of[kind]) + parts - 1) / parts
		more := ""
		for cells := range slices.Chunk(of[kind], part) {
			if s := kindChart(kind, cells, sc, col); s != nil {
				cards = append(cards, htmlCard{Title: kind + more, Sub: commonDoc(cells), Axis: dividing(cells), Chart: s, Legend: kindLegend(cells, col)})
				more = ", continued"
			}
		}
	}
	return cards
}

const mostRows = 14 // of a card, so that cards beside each other differ less in height

// dividing says what the ratios of cells are made of: "Each alternative's time ÷
// poundlock's".
func dividing(cells []*cell) string {
	what, whose := unitName(cells[0].metric()), cells[0].first().Impl
	for _, c := range cells {
		if unitName(c.metric()) != what {
			what = "figure"
		}
		if c.first().Impl != whose {
			whose = "poundlock"
		}
	}
	return "Each alternative's " + what + " ÷ " + whose + "'s"
}

// commonDoc says what one op is in all of the cells: where their sentences differ
// in a number it has an N in its place, where they differ in another word both, and
// where they differ in more an ellipsis.
func commonDoc(cells []*cell) string {
	words := strings.Fields(cells[0].doc)
	for _, c := range cells[1:] {
		words = commonWords(words, strings.Fields(c.doc))
	}
	return strings.Join(words, " ")
}

func commonWords(a, b []string) []string {
	if len(a) == len(b) {
		out := slices.Clone(a)
		for i := range a {
			if a[i] != b[i] {
				out[i] = commonWord(a[i], b[i])
			}
		}
		return out
	}
	head, tail := 0, 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return slices.Concat(a[:head], []string{"…"}, a[len(a)-tail:])
}

func commonWord(a, b string) string {
	const digits, marks = "0123456789", ",;.:"
	if a[0] == 'N' && len(strings.TrimRight(a, marks)) == 1 {
		return a
	}
	word, end := strings.TrimRight(a, marks), a[len(strings.TrimRight(a, marks)):]
	other := strings.TrimRight(b, marks)
	switch {
	case strings.ContainsAny(word, digits) && strings.ContainsAny(other, digits):
		return "N" + end
	case slices.Contains(strings.Split(word, "/"), other):
		return a
	}
	return word + "/" + other + end
}

// kindLegend lists the implementations that kindChart draws.
func kindLegend(cells []*cell, col map[string]string) (items []legendItem) {
	for _, c := range cells {
		for i := range c.impls {
			if im := &c.impls[i]; im.declared && positive(im.ratios[c.metric()]) {
				items = addLegend(items, im.row.Impl, col)
			}
		}
	}
	return items
}

func addLegend(items []legendItem, name string, col map[string]string) []legendItem {
	if slices.ContainsFunc(items, func(l legendItem) bool { return l.Name == name }) {
		return items
	}
	return append(items, legendItem{Name: name, Class: col[name]})
}

// kindChart draws a row per case: its name, the alternative that is best in it and
// that one's ratio, above a line with the dots. Where all that does not fit side
// by side, the name has a line of its own.
func kindChart(kind string, cells []*cell, sc logScale, col map[string]string) *svg {
	const line, dots = 14, 20
	s := &svg{Width: cardWidth, Alt: kind + ": " + dividing(cells)}
	metric := cells[0].metric()
	mixed := slices.ContainsFunc(cells, func(c *cell) bool { return c.metric() != metric })
	y := 0.0
	for _, c := range cells {
		im, q, v := c.best()
		if im == nil { // what a feature costs
			if im, q = c.leastOwn(); im == nil {
				continue
			}
		}
		name := c.titleWithin(kind)
		if mixed && c.quantity() != "" {
			name += ", " + c.quantity()
		}
		value := times(q.Value)
		if !im.own && v != ahead {
			value = v.String() + " " + value
		}
		right := cardWidth - boldWidth(value) - 12 // of the alternative's name
		if y += line; textWidth(name) > right-textWidth(clip(im.row.Impl))-12 {
			s.text(0, y, "name", cut(name, cardWidth))
			y += line
		} else {
			s.text(0, y, "name", name)
		}
		s.text(right, y, "end tick", clip(im.row.Impl))
		s.text(cardWidth, y, valueClass(im, q), value)
		kindRow(s, sc, y+10, c, q, col[im.row.Impl], col)
		y += dots
	}
	if y == 0 {
		return nil
	}
	s.ratioAxis(sc, y, 0, y, 6)
	s.Height = y + 24
	return s
}

// kindRow draws the dots of a case at the height y, and the interval of the best
// alternative's.
func kindRow(s *svg, sc logScale, y float64, c *cell, best *result.Ratio, class string, col map[string]string) {
	s.bar(sc.from, y-1.5, sc.to-sc.from, 3, "track", "")
	if lo, hi, ok := best.Interval(); ok {
		s.line(sc.at(lo), y, sc.at(hi), y, "interval "+class)
	}
	for k := range slices.Backward(c.impls) {
		o := &c.impls[k]
		if q := o.ratios[c.metric()]; o.declared && positive(q) {
			d := dotOf(c, o, q, "fill "+col[o.row.Impl])
			s.dot(sc.at(q.Value), y, 4.5, d.Class, d.Tip)
		}
	}
}

// leastOwn returns the declared baseline with the least ratio, in a case that has
// no alternatives.
func (c *cell) leastOwn() (im *impl, q *result.Ratio) {
	for i := range c.impls {
		r := c.impls[i].ratios[c.metric()]
		if c.impls[i].declared && positive(r) && (q == nil || r.Value < q.Value) {
			im, q = &c.impls[i], r
		}
	}
	return im, q
}

// cut shortens a name to a width, at its end.
func cut(name string, width float64) string {
	if textWidth(name) <= width {
		return name
	}
	r := []rune(name)
	for len(r) > 1 && textWidth(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}
