package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// Formats are what Print can write.
var Formats = []string{"summary", "table", "markdown", "json", "csv"}

// Print writes the run in one of the Formats.
func Print(w io.Writer, r *result.Run, format string) error {
	switch format {
	case "markdown":
		return Markdown(w, r, nil)
	case "json":
		return result.WriteJSON(w, r.Rows)
	case "csv":
		return csvRows(w, r.Rows)
	case "summary":
		return summaryOf(w, r)
	case "table":
		return table(w, r)
	}
	return fmt.Errorf("no such format: %q", format)
}

// table is for the terminal: a block per case with a line per implementation, the
// summary last because that is what stays on the screen.
func table(w io.Writer, r *result.Run) error {
	b := new(strings.Builder)
	gs := groups(r)
	noted := false
	for _, g := range gs {
		for _, c := range g.cells {
			fmt.Fprintf(b, "%s/%s (%s)\n", g.name, c.title(), Count(c.first().Rounds, "round"))
			noted = cellTable(b, c) || noted
			b.WriteByte('\n')
		}
	}
	if noted {
		b.WriteString("! a core was taken away in more than a quarter of the rounds: read this row with care\n\n")
	}
	summaryTable(b, r, summaries(gs))
	_, err := io.WriteString(w, b.String())
	return err
}

// cellTable prints one case: figures of every implementation, then how the first
// one does against it in each of the case's metrics.
func cellTable(b *strings.Builder, c *cell) (noted bool) {
	extra := c.shownMetrics()
	head := append([]string{"", "time/op", "cpu/op", "B/op", "allocs/op"}, extra...)
	for _, m := range c.metrics {
		head = append(head, m+" ÷ "+c.first().Impl+"'s")
	}
	lines := [][]string{head}
	var trouble []string
	for i := range c.impls {
		im := &c.impls[i]
		r := im.row
		if t := troubleOf(r); t != "" {
			trouble = append(trouble, "  "+t)
			continue
		}
		mark := ""
		if r.Doubtful() {
			mark, noted = " !", true
		}
		l := []string{r.Impl + mark}
		for _, u := range []string{result.NsPerOp, result.CPUPerOp, result.BytesPerOp, result.AllocsPerOp} {
			l = append(l, valueOf(r, u))
		}
		for _, m := range extra {
			l = append(l, valueOf(r, m))
		}
		for _, m := range c.metrics {
			l = append(l, withSpan(im.ratios[m]))
		}
		lines = append(lines, l)
	}
	align(b, lines)
	for _, t := range trouble {
		b.WriteString(t + "\n")
	}
	return noted
}

func valueOf(r *result.Row, unit string) string {
	v, ok := r.Value(unit)
	if !ok || unit == result.CPUPerOp && v == 0 {
		return "–"
	}
	return figure(v, unit)
}

// troubleOf tells why an implementation has no figures, or "".
func troubleOf(r *result.Row) string {
	switch {
	case r.Failed != "":
		return r.Impl + " FAILED: " + strings.ReplaceAll(r.Failed, "\n", "; ")
	case r.Skipped != "":
		return r.Impl + " skipped: " + strings.ReplaceAll(r.Skipped, "\n", "; ")
	}
	return ""
}

// align prints lines in columns: the first to the left, the others to the right.
// (text/tabwriter counts bytes of "µ" and "×" well, but aligns all one way.)
func align(b *strings.Builder, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, s := range l {
			width[i] = max(width[i], utf8.RuneCountInString(s))
		}
	}
	for _, l := range lines {
		s := "  "
		for i, f := range l {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(f))
			if i == 0 {
				s += f + pad
			} else {
				s += "  " + pad + f
			}
		}
		b.WriteString(strings.TrimRight(s, " ") + "\n")
	}
}
