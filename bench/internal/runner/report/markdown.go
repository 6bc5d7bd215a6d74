package report

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// Markdown writes a table per group, one line per case and a column per
// implementation, then the command and machine that made it. Only cases that
// choose matches are written; nil means all.
func Markdown(w io.Writer, r *result.Run, choose *regexp.Regexp) error {
	b := new(strings.Builder)
	for _, g := range groups(r) {
		if choose != nil {
			g.cells = slices.DeleteFunc(g.cells, func(c *cell) bool { return !choose.MatchString(g.name + "/" + c.name) })
		}
		for _, part := range byLead(g.cells) {
			markdownTable(b, g.name, part)
		}
	}
	b.WriteString("Less is better. Bold: the figure ÷ the first column's (median of paired rounds, with the 95 % interval).\n")
	measuredWith(b, r)
	_, err := io.WriteString(w, b.String())
	return err
}

// measuredWith tells the command and the machine.
func measuredWith(b *strings.Builder, r *result.Run) {
	if r.Info.Command != "" {
		fmt.Fprintf(b, "Measured with `%s` on %s.\n", r.Info.Command, strings.Join(circumstances(r.Info), "; "))
	}
}

// byLead splits cells by their first implementation, which heads the table.
func byLead(cells []*cell) (parts [][]*cell) {
	at := make(map[string]int)
	for _, c := range cells {
		i, ok := at[c.first().Impl]
		if !ok {
			i = len(parts)
			at[c.first().Impl] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], c)
	}
	return parts
}

func markdownTable(b *strings.Builder, group string, cells []*cell) {
	var names []string
	for _, c := range cells {
		for i := range c.impls {
			if n := c.impls[i].row.Impl; !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	fmt.Fprintf(b, "| %s |", group)
	for _, n := range names {
		fmt.Fprintf(b, " %s |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(names)) + "\n")
	for _, c := range cells {
		for _, m := range c.metrics {
			label := escape(c.title())
			if m != result.NsPerOp {
				label += ", " + unitName(m)
			}
			fmt.Fprintf(b, "| %s |", label)
			for _, n := range names {
				fmt.Fprintf(b, " %s |", markdownCell(c, n, m))
			}
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
}

func markdownCell(c *cell, name, metric string) string {
	for i := range c.impls {
		im := &c.impls[i]
		if im.row.Impl != name {
			continue
		}
		switch {
		case im.row.Failed != "":
			return "failed"
		case im.row.Skipped != "":
			return "skipped"
		}
		s := valueOf(im.row, metric)
		if q := im.ratios[metric]; q != nil {
			s += " **" + times(q.Value) + "**"
			if lo, hi, ok := q.Interval(); ok {
				s += fmt.Sprintf(" ±%.0f%%", 100*max(hi/q.Value-1, 1-lo/q.Value))
			}
		}
		return s
	}
	return ""
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
