package load

import (
	"fmt"
	"io"
	"time"
)

// writeHead begins the table of a mix, at most 80 columns wide.
func writeHead(out io.Writer, m mix) {
	fmt.Fprintf(out, "\n%s\n", m.what)
	fmt.Fprintln(out, "  req/s        ok %    P50    P99  P99.9  CPU/r query redis  KB/r  al/r GC/s")
}

func writeRate(out io.Writer, cells []Cell) {
	fmt.Fprintf(out, "%7d\n", cells[0].Rate)
	for _, c := range cells {
		fmt.Fprintf(out, "%13s %5.1f %6s %6s %6s %6s %5.2f %5.2f %5.1f %5.0f %4.1f\n",
			c.Twin, 100*c.OK, short(c.P50), short(c.P99), short(c.P999), short(c.CPU),
			c.Queries, c.Redis, c.Bytes/1024, c.Allocs, c.GC)
	}
}

// writeSummary says which rate each twin sustained, and what its requests cost at the
// highest rate that all sustained.
func writeSummary(out io.Writer, cells []Cell) {
	best := map[string]int{}
	all := map[int]int{}
	cpu := map[int]map[string]time.Duration{}
	for _, c := range cells {
		if cpu[c.Rate] == nil {
			cpu[c.Rate] = map[string]time.Duration{}
		}
		cpu[c.Rate][c.Twin] = c.CPU
		if c.sustained() {
			best[c.Twin] = max(best[c.Twin], c.Rate)
			all[c.Rate]++
		}
	}
	fmt.Fprintf(out, "  sustained with P99 <= %v:", limit)
	for _, t := range twins {
		fmt.Fprintf(out, "  %s %d/s", t.Name, best[t.Name])
	}
	fmt.Fprintln(out)
	common := 0
	for rate, n := range all {
		if n == len(twins) {
			common = max(common, rate)
		}
	}
	if common == 0 {
		fmt.Fprintln(out, "  no rate was sustained by all")
		return
	}
	own := cpu[common][twins[0].Name]
	fmt.Fprintf(out, "  CPU per request at %d/s:", common)
	for _, t := range twins[1:] {
		fmt.Fprintf(out, "  %s / shop = %.2f", t.Name, float64(cpu[common][t.Name])/float64(own))
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
