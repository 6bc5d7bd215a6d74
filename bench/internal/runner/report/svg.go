package report

import "math"

// svg is a drawing in the few shapes that the charts need; the page's template
// writes it. All cards share one width in user units, near the width of a phone's
// screen, so that text has about its natural size everywhere.
type svg struct {
	Width, Height float64
	Alt           string    // what a screen reader says
	Grid          []svgLine // behind everything
	Lines         []svgLine // before the bars
	Bars          []svgRect
	Dots          []svgDot
	Texts         []svgText
}

type svgLine struct {
	X1, Y1, X2, Y2 float64
	Class          string
}

type svgRect struct {
	X, Y, W, H float64
	Class      string
	Tip        string
}

type svgDot struct {
	X, Y, R float64
	Class   string
	Tip     string
	ratio   float64 // what it stands for, until it has its place
}

type svgText struct {
	X, Y   float64
	Class  string // "end" and "mid" anchor the text
	String string
}

const cardWidth = 360

func (s *svg) line(x1, y1, x2, y2 float64, class string) {
	s.Lines = append(s.Lines, svgLine{round(x1), round(y1), round(x2), round(y2), class})
}

func (s *svg) grid(x1, y1, x2, y2 float64, class string) {
	s.Grid = append(s.Grid, svgLine{round(x1), round(y1), round(x2), round(y2), class})
}

func (s *svg) bar(x, y, w, h float64, class, tip string) {
	s.Bars = append(s.Bars, svgRect{round(x), round(y), round(max(w, 0)), round(h), class, tip})
}

func (s *svg) dot(x, y, r float64, class, tip string) {
	s.Dots = append(s.Dots, svgDot{X: round(x), Y: round(y), R: r, Class: class, Tip: tip})
}

func (s *svg) text(x, y float64, class, text string) {
	s.Texts = append(s.Texts, svgText{round(x), round(y), class, text})
}

// round keeps the page small: a tenth of a unit is finer than a pixel.
func round(v float64) float64 { return math.Round(v*10) / 10 }

// textWidth estimates the width of s in the cards' font of 12 units.
func textWidth(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case r == 'i' || r == 'l' || r == '.' || r == ',' || r == '/' || r == ' ' || r == '|' || r == '-':
			w += 4
		case r == 'm' || r == 'w' || r == 'M' || r == 'W':
			w += 11
		default:
			w += 7.4
		}
	}
	return w
}

// boldWidth is the same for the bold font of values.
func boldWidth(s string) float64 { return 1.2 * textWidth(s) }

// logScale maps values onto a length, one factor to one distance.
type logScale struct {
	lo, hi   float64 // the values at from and to
	from, to float64
}

// newLogScale covers the values, with a little room at both ends.
func newLogScale(lo, hi, from, to float64) logScale {
	if math.IsNaN(lo) || math.IsInf(lo, 0) {
		lo = 1
	}
	lo = min(max(lo, 1e-9), 1e15)
	if !(hi > lo) || math.IsInf(hi, 0) {
		hi = lo * 2
	}
	room := math.Pow(hi/lo, 0.04)
	return logScale{lo / room, hi * room, from, to}
}

func (l logScale) at(v float64) float64 {
	if !(v > 0) {
		return l.from
	}
	f := math.Log(v/l.lo) / math.Log(l.hi/l.lo)
	return l.from + min(max(f, 0), 1)*(l.to-l.from)
}

// ticks returns round values inside the scale, at most about most of them.
func (l logScale) ticks(most int) []float64 {
	for _, steps := range [][]float64{{1, 1.5, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}, {1}} {
		if t := l.decades(steps, 1); len(t) <= most {
			return t
		}
	}
	for skip := 2; ; skip++ {
		if t := l.decades([]float64{1}, skip); len(t) <= most || skip > 20 {
			return t
		}
	}
}

func (l logScale) decades(steps []float64, skip int) (t []float64) {
	first, last := int(math.Floor(math.Log10(l.lo))), int(math.Ceil(math.Log10(l.hi)))
	for d := first; d <= last; d++ {
		if d%skip != 0 {
			continue
		}
		for _, s := range steps {
			v := s * math.Pow10(d)
			if d < 0 {
				v = s / math.Pow10(-d) // 3/10 prints as 0.3, 3×0.1 does not
			}
			if v >= l.lo && v <= l.hi {
				t = append(t, v)
			}
		}
	}
	return t
}
