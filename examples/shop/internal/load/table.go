package load

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// writeHead begins the table of a mix, at most 80 columns wide.
func writeHead(out io.Writer, m mix) {
	fmt.Fprintf(out, "\n%s\n", m.what)
	fmt.Fprintln(out, "  req/s        ok %    P50    P99  P99.9  CPU/r query redis  KB/r  al/r GC/s")
}

// writeRate writes the medians of each twin, and the spread of the two figures that decide.
func writeRate(out io.Writer, cells []Cell) {
	fmt.Fprintf(out, "%7d\n", cells[0].Rate)
	for _, c := range cells {
		duration := func(f func(Round) time.Duration) string { return short(over(c.Rounds, f).median) }
		number := func(f func(Round) float64) float64 { return over(c.Rounds, f).median }
		fmt.Fprintf(out, "%13s %5.1f %6s %6s %6s %6s %5.2f %5.2f %5.1f %5.0f %4.1f\n",
			c.Twin, 100*number(func(r Round) float64 { return r.OK }),
			duration(func(r Round) time.Duration { return r.P50 }), duration(p99),
			duration(func(r Round) time.Duration { return r.P999 }), duration(cpu),
			number(func(r Round) float64 { return r.Queries }), number(func(r Round) float64 { return r.Redis }),
			number(func(r Round) float64 { return r.Bytes })/1024, number(func(r Round) float64 { return r.Allocs }),
			number(func(r Round) float64 { return r.GC }))
	}
	if len(cells[0].Rounds) < 2 {
		return
	}
	fmt.Fprintf(out, "    %2d rounds %14s  %-16s %13s  %s\n", len(cells[0].Rounds), "P99 low-high", "x the shop's", "CPU low-high", "x the shop's")
	for i, c := range cells {
		a, b := over(c.Rounds, p99), over(c.Rounds, cpu)
		latency, work := "", ""
		if i > 0 {
			latency, work = ratio(c.times(cells[0], p99)), ratio(c.times(cells[0], cpu))
		}
		line := fmt.Sprintf("%13s %14s  %-16s %13s  %s", c.Twin, short(a.low)+"-"+short(a.high), latency, short(b.low)+"-"+short(b.high), work)
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}

// ratio writes how many times, and the lowest and the highest of the rounds.
func ratio(s spread[float64]) string {
	return fmt.Sprintf("%s (%s-%s)", digits(s.median), digits(s.low), digits(s.high))
}

// digits writes a number in three digits.
func digits(x float64) string {
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// writeSummary says up to which rate each twin sustained all rates, and what its
// requests cost at the highest rate that all sustained: in all, and above what bare
// needs for HTTP alone.
func writeSummary(out io.Writer, cells []Cell) {
	fmt.Fprintf(out, "  sustained in most rounds, with P99 <= %v:\n", limit)
	common := 0
	for i, t := range twins {
		best, in := 0, ""
		for _, c := range cells {
			if c.Twin != t.Name {
				continue
			}
			rounds, most := c.sustained()
			if !most {
				break
			}
			best, in = c.Rate, fmt.Sprintf(" (%d of %d)", rounds, len(c.Rounds))
		}
		fmt.Fprintf(out, "%13s %5d/s%s\n", t.Name, best, in)
		if i == 0 || best < common {
			common = best
		}
	}
	if common == 0 {
		fmt.Fprintln(out, "  no rate was sustained by all")
		return
	}
	var own, http Cell
	for _, c := range cells {
		switch {
		case c.Rate != common:
		case c.Twin == twins[0].Name:
			own = c
		case c.Twin == bare:
			http = c
		}
	}
	fmt.Fprintf(out, "  CPU per request at %d/s, x the shop's:\n  ", common)
	for _, c := range cells {
		if c.Rate == common && c.Twin != own.Twin {
			fmt.Fprintf(out, "  %s %s", c.Twin, ratio(c.times(own, cpu)))
		}
	}
	fmt.Fprintf(out, "\n  the same above what %s needs:\n  ", bare)
	for _, c := range cells {
		if c.Rate == common && c.Twin != own.Twin && c.Twin != bare {
			fmt.Fprintf(out, "  %s %s", c.Twin, ratio(c.above(http).times(own.above(http), cpu)))
		}
	}
	fmt.Fprintln(out)
}

// short writes a duration in at most six characters.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1fms", d.Seconds()*1e3)
	case d < 10*time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return fmt.Sprintf("%.0fs", d.Seconds())
}
