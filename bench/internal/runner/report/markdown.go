package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
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
	for _, g := range groups(r.Rows) {
		if choose != nil {
			g.cells = slices.DeleteFunc(g.cells, func(c *cell) bool { return !choose.MatchString(g.name + "/" + c.name) })
		}
		for _, part := range byLead(g.cells) {
			markdownTable(b, g.name, part)
		}
	}
	fmt.Fprintf(b, "Less is better. Bold: how many times the first column's figure it is (median of paired rounds, with the 95 %% interval).\n")
	if r.Info.Command != "" {
		fmt.Fprintf(b, "Measured with `%s` on %s.\n", r.Info.Command, strings.Join(circumstances(r.Info), "; "))
	}
	_, err := io.WriteString(w, b.String())
	return err
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

var (
	openMark  = regexp.MustCompile(`(?m)^<!-- bench (\S+) -->\n`)
	closeMark = "<!-- /bench -->"
)

// Update renews the tables of a Markdown file: what stands between the lines
// "<!-- bench REGEXP -->" and "<!-- /bench -->" becomes the table of the cases
// that REGEXP matches.
func Update(path string, r *result.Run) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	marks := openMark.FindAllSubmatchIndex(text, -1)
	if len(marks) == 0 {
		return fmt.Errorf("%s: no line <!-- bench REGEXP -->", path)
	}
	var out bytes.Buffer
	last := 0
	for _, m := range marks {
		re, err := regexp.Compile(string(text[m[2]:m[3]]))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		end := bytes.Index(text[m[1]:], []byte(closeMark))
		if end < 0 || m[0] < last {
			return fmt.Errorf("%s: <!-- bench %s --> has no %s", path, text[m[2]:m[3]], closeMark)
		}
		if !slices.ContainsFunc(r.Rows, func(row result.Row) bool { return re.MatchString(row.Key()) }) {
			return fmt.Errorf("%s: no case of the run matches %s", path, re)
		}
		out.Write(text[last:m[1]])
		if err := Markdown(&out, r, re); err != nil {
			return err
		}
		last = m[1] + end
	}
	out.Write(text[last:])
	return os.WriteFile(path, out.Bytes(), 0o644)
}
