package report

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// newSection makes the section of the checks of one bar file: a line for each bar,
// but one sentence for all cases that were to allocate nothing and do not; then
// the reasons that several lines share.
func newSection(table string, r *result.Run, checks []result.Check) (s barSection, err error) {
	if s.file, err = seenFrom(filepath.Dir(table), checks[0].Bar.File); err != nil {
		return s, err
	}
	b := new(strings.Builder)
	fmt.Fprintf(b, "From [%s](%s), by `%s`", s.file, s.file, r.Info.Command)
	if l := circumstances(r.Info); len(l) > 0 {
		fmt.Fprintf(b, " on %s", strings.Join(l, "; "))
	}
	b.WriteString(".\n")
	s.tally = result.Count(checks, false)
	var reasons []*result.Reason
	var clean []string
	last, lines := "", 0
	for _, c := range checks {
		if c.Bar.Kind() == result.NoAlloc && c.Met {
			clean = append(clean, "`"+barCase(c)+"`")
			continue
		}
		if lines++; lines == 1 {
			b.WriteString("\n| case | against | metric | bar | reached | 95 % interval | | what was tried, and the limit |\n|---|---|---|---|---:|---|---|---|\n")
		}
		note := noteOf(c)
		if re := c.Bar.Reason; note != "" && re != nil && !slices.Contains(reasons, re) {
			reasons = append(reasons, re)
		}
		if note != "" && note == last && c.Bar.Note != "" {
			note = "as above"
		} else if note != "" {
			last = note
		}
		barLine(b, c, note)
	}
	for _, re := range reasons {
		fmt.Fprintf(b, "\n**%s**: %s\n", re.Name, re.Text)
	}
	if len(clean) > 0 {
		fmt.Fprintf(b, "\nNo allocation, as asked, in %s: %s.\n", Count(len(clean), "case"), strings.Join(clean, ", "))
	}
	s.body = b.String()
	return s, nil
}

// noteOf is what stands beside a bar: for one that was missed what was tried, and
// the name of the reason that it shares with others; the latter also for one that
// is stated against the floor, as a reader asks why.
func noteOf(c result.Check) string {
	missed := !c.Met && !c.Skipped
	var parts []string
	if c.Bar.Reason != nil && (missed || c.Bar.Kind() == result.AtFloor) {
		parts = append(parts, "**"+c.Bar.Reason.Name+"**")
	}
	if missed && c.Bar.Note != "" {
		parts = append(parts, escape(c.Bar.Note))
	}
	if parts == nil && missed {
		return "not yet told"
	}
	return strings.Join(parts, ": ")
}

// barCase is the case of a check with its GOMAXPROCS, in the form that bar files
// have.
func barCase(c result.Check) string {
	if c.Key == "" {
		return c.Bar.Case
	}
	return c.Key + "-" + strconv.Itoa(c.CPUs)
}

// seenFrom returns the path of file relative to dir, with slashes.
func seenFrom(dir, file string) (string, error) {
	for _, p := range []*string{&dir, &file} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return "", err
		}
		*p = abs
	}
	rel, err := filepath.Rel(dir, file)
	return filepath.ToSlash(rel), err
}

// barLine writes one check.
func barLine(b *strings.Builder, c result.Check, note string) {
	verdict, reached, iv := "**missed**", c.Why, ""
	if c.Met {
		verdict = "met"
	}
	if c.Skipped {
		verdict = "not measured"
	}
	if !math.IsNaN(c.Got) {
		reached = digits(c.Got)
		if c.Bar.Absolute() {
			reached = figure(c.Got, c.Bar.Metric)
		} else {
			reached += " ×"
		}
	}
	if !math.IsNaN(c.Lo) && !math.IsNaN(c.Hi) {
		iv = digits(c.Lo) + "–" + digits(c.Hi)
	}
	against := c.Bar.Baseline
	switch {
	case c.Bar.Absolute():
		against = "the figure itself"
	case c.Bar.Floor() != "":
		against = c.Bar.Floor() + " (floor)"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", escape(barCase(c)), escape(against), c.Bar.Metric,
		strings.NewReplacer("<=", "≤ ", ">=", "≥ ").Replace(c.Bar.Want()), escape(reached), iv, verdict, note)
}
