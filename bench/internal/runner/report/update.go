package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// A part of a Markdown file that a run renews stands between an opening line and
// the closing one:
//
//	<!-- bench REGEXP -->       the table of the cases that REGEXP matches
//	<!-- bench:summary -->      a line per group, and where poundlock loses
//	<!-- bench:chart NAME -->   the picture of all groups, in the files NAME-light.svg
//	                            and NAME-dark.svg beside the Markdown file
//	<!-- /bench -->
var openMark = regexp.MustCompile(`(?m)^<!-- bench(?: (\S+)|:(summary)|:chart ([A-Za-z0-9_./-]+)) -->\n`)

const closeMark = "<!-- /bench -->"

// part is one part of a Markdown file that runs renew.
type part struct {
	mark       string // the opening line
	start, end int    // of what is renewed
	choose     *regexp.Regexp
	summary    bool
	chart      string // NAME
}

// CheckUpdate says whether path can be renewed by [Update]: it must be a file that
// can be written, with parts that are well marked.
func CheckUpdate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	f.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = partsOf(path, text)
	return err
}

func partsOf(path string, text []byte) (parts []part, err error) {
	last := 0
	for _, m := range openMark.FindAllSubmatchIndex(text, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return string(text[m[2*i]:m[2*i+1]])
		}
		p := part{mark: strings.TrimSpace(group(0)), start: m[1], summary: group(2) != "", chart: group(3)}
		if !p.summary && p.chart == "" {
			if p.choose, err = regexp.Compile(group(1)); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		n := bytes.Index(text[p.start:], []byte(closeMark))
		if n < 0 || m[0] < last {
			return nil, fmt.Errorf("%s: %s has no %s", path, p.mark, closeMark)
		}
		p.end = p.start + n
		last = p.end
		parts = append(parts, p)
	}
	if parts == nil {
		return nil, fmt.Errorf("%s: no line <!-- bench REGEXP -->, <!-- bench:summary --> or <!-- bench:chart NAME -->", path)
	}
	return parts, nil
}

// Update renews the parts of a Markdown file, as far as the run has cases for them;
// the others stay as they are.
func Update(path string, r *result.Run) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	parts, err := partsOf(path, text)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	last, renewed := 0, 0
	for _, p := range parts {
		out.Write(text[last:p.start])
		last = p.start
		made, err := p.make(filepath.Dir(path), r)
		if err != nil {
			return err
		}
		if made != "" {
			out.WriteString(made)
			last = p.end
			renewed++
		}
	}
	if renewed == 0 {
		return fmt.Errorf("%s: no case of the run matches %s", path, parts[0].mark)
	}
	out.Write(text[last:])
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// make returns the part's new text, or "" where the run has nothing for it.
func (p part) make(dir string, r *result.Run) (string, error) {
	var b strings.Builder
	switch {
	case p.summary:
		if all := summaries(groups(r)); len(all) > 0 {
			markdownSummary(&b, r, all)
		}
		return b.String(), nil
	case p.chart != "":
		return picture(dir, p.chart, r)
	case !slices.ContainsFunc(r.Rows, func(row result.Row) bool { return p.choose.MatchString(row.Key()) }):
		return "", nil
	}
	err := Markdown(&b, r, p.choose)
	return b.String(), err
}

// markdownSummary writes a line per group and the cases furthest behind.
func markdownSummary(b *strings.Builder, r *result.Run, all []summary) {
	b.WriteString("| | ahead | level | behind | best alternative's time ÷ poundlock's, mean |\n|---|---:|---:|---:|---:|\n")
	for _, s := range all {
		if len(s.points) > 0 {
			fmt.Fprintf(b, "| %s | %d | %d | %d | %s |\n", s.name, s.tally[ahead], s.tally[level], s.tally[behind], times(s.mean))
		}
	}
	if len(all) > 1 {
		t := total(all)
		fmt.Fprintf(b, "| **all** | **%d** | **%d** | **%d** | |\n", t[ahead], t[level], t[behind])
	}
	b.WriteString("\nA case is level where the 95 % interval of the ratio includes 1 (or there were too few rounds for one).\n")
	if points := worstKinds(chosen(all, behind)); len(points) > 0 {
		b.WriteString("\nWhere poundlock loses, the furthest behind first:\n\n")
		for _, p := range points[:min(len(points), mostLosses)] {
			what := "time"
			if q := p.cell.quantity(); q != "" {
				what = q
			}
			fmt.Fprintf(b, "- `%s/%s`: the %s of `%s` is %s of poundlock's\n", p.cell.group, p.cell.title(), what, p.best.row.Impl, withSpan(p.ratio))
		}
	}
	b.WriteString("\n")
	measuredWith(b, r)
}

const mostLosses = 3

// worstKinds keeps the first case of every kind.
func worstKinds(points []point) (first []point) {
	seen := make(map[string]bool)
	for _, p := range points {
		name, _, _ := strings.Cut(p.cell.name, "/")
		if kind := p.cell.group + "/" + name; !seen[kind] {
			seen[kind] = true
			first = append(first, p)
		}
	}
	return first
}
