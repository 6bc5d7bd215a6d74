package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// Print writes the run in one of the formats table, markdown, json and csv.
func Print(w io.Writer, r *result.Run, format string) error {
	switch format {
	case "json":
		return result.WriteJSON(w, r.Rows)
	case "table":
		return table(w, r)
	}
	return fmt.Errorf("no such format: %q", format)
}

func table(w io.Writer, r *result.Run) error {
	b := new(strings.Builder)
	for _, g := range groups(r.Rows) {
		for _, c := range g.cells {
			fmt.Fprintf(b, "\n%s/%s  (GOMAXPROCS %d)\n", g.name, c.name, c.cpus)
			cellTable(b, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cellTable(b *strings.Builder, c *cell) {
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "  impl\tns/op\tcpu-ns/op\tB/op\tallocs\t%s is\n", c.first().Impl)
	for i := range c.impls {
		im := &c.impls[i]
		r := im.row
		if r.Failed != "" {
			fmt.Fprintf(tw, "  %s\tFAILED: %s\n", r.Impl, r.Failed)
			continue
		}
		ratio := ""
		if q := im.ratios[c.metric()]; q != nil {
			ratio = fmt.Sprintf("%.3g × faster", q.Value)
			if lo, hi, ok := q.Interval(); ok {
				ratio += fmt.Sprintf(" [%.3g, %.3g]", lo, hi)
			}
		}
		fmt.Fprintf(tw, "  %s\t%.4g\t%.4g\t%.4g\t%.4g\t%s\n", r.Impl, r.NsPerOp, r.CPUNsPerOp, r.BytesPerOp, r.AllocsPerOp, ratio)
	}
	tw.Flush()
}
