package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// figure prints v with its unit scaled for people: "1.27 µs", "26.3 MB", "0".
func figure(v float64, unit string) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case unit == result.NsPerOp || unit == result.CPUPerOp || strings.HasSuffix(unit, "-ns"):
		return scaled(v, []string{"ns", "µs", "ms", "s"}, 1000)
	case unit == result.BytesPerOp || strings.HasSuffix(unit, "-bytes"):
		return scaled(v, []string{"B", "kB", "MB", "GB"}, 1000)
	}
	return digits(v)
}

func scaled(v float64, units []string, step float64) string {
	i := 0
	for i < len(units)-1 && math.Abs(v) >= 0.9995*step {
		v /= step
		i++
	}
	return digits(v) + "\u00a0" + units[i]
}

// digits prints v with three significant digits and no exponent.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.0995:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// times prints a ratio: "12.3×".
func times(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return digits(v) + "×"
}

// span prints an interval: "11.8–12.9", or "" when it is not known.
func span(q *result.Ratio) string {
	lo, hi, ok := q.Interval()
	if !ok {
		return ""
	}
	return digits(lo) + "–" + digits(hi)
}

// withSpan prints a ratio and its interval, as far as they are known.
func withSpan(q *result.Ratio) string {
	if q == nil {
		return ""
	}
	s := times(q.Value)
	if iv := span(q); iv != "" {
		s += " (" + iv + ")"
	}
	return s
}

// title is how a case is headed: its name, and the GOMAXPROCS where that does not
// go without saying.
func (c *cell) title() string {
	if !c.odd {
		return c.name
	}
	return c.name + " · GOMAXPROCS " + strconv.Itoa(c.cpus)
}

// titleWithin is the title without the part that all cases of a kind begin with.
func (c *cell) titleWithin(kind string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(c.title(), kind), "/")
	if rest = strings.TrimPrefix(rest, " · "); rest == "" {
		return kind
	}
	return rest
}

// quantity is what a case is judged by, as far as that is not the time.
func (c *cell) quantity() string {
	if c.metric() == result.NsPerOp {
		return ""
	}
	return unitName(c.metric())
}

// told is the ratio of a point with its interval, or with what there is instead.
func (p point) told() string {
	if _, _, ok := p.ratio.Interval(); !ok {
		return times(p.ratio.Value) + " (" + Count(p.cell.first().Rounds, "round") + ")"
	}
	return withSpan(p.ratio)
}

// Count is a number of things: "1 round", "12 rounds".
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// unitName says in words what a unit counts.
func unitName(unit string) string {
	switch unit {
	case result.NsPerOp:
		return "time"
	case result.CPUPerOp:
		return "CPU time"
	case result.BytesPerOp:
		return "bytes allocated"
	case result.AllocsPerOp:
		return "allocations"
	case result.PeakBytes:
		return "peak memory"
	case "p50-ns":
		return "median latency"
	case "p99-ns":
		return "p99 latency"
	case "p999-ns":
		return "p99.9 latency"
	}
	return unit
}

// circumstances are the lines that say where and how a run was made.
func circumstances(in result.Info) (lines []string) {
	add := func(parts ...string) {
		if s := strings.Join(parts, ""); s != "" {
			lines = append(lines, s)
		}
	}
	m := in.Machine
	if m.GOOS != "" {
		s := m.GOOS + "/" + m.GOARCH + ", " + m.Go + ", " + Count(m.Cores, "core")
		if m.MaxPs != m.Cores {
			s += " (GOMAXPROCS " + strconv.Itoa(m.MaxPs) + ")"
		}
		if m.CPU != "" {
			s += ", " + m.CPU
		}
		if m.Memory > 0 {
			s += ", " + figure(float64(m.Memory), "-bytes")
		}
		if m.Kernel != "" {
			s += ", kernel " + m.Kernel
		}
		add(s)
	}
	if in.Rounds > 0 {
		add("up to ", Count(in.Rounds, "round"), " of ", in.BenchTime, " a sample, ",
			Count(in.Samples, "sample"), " in ", in.Took.Round(1e9).String(), ", ", in.Started.Format("2006-01-02"))
	}
	if in.Version != "" {
		add("commit ", in.Version)
	}
	if in.Ended != "" {
		add(in.Ended)
	}
	if in.Race {
		add("race detector on: correctness only, the times mean nothing")
	}
	return lines
}
