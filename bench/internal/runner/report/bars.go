package report

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// Bars writes the Markdown table of every bar with the figure reached.
func Bars(w io.Writer, r *result.Run, checks []result.Check) error {
	b := new(strings.Builder)
	met, missed, out := 0, 0, 0
	for _, c := range checks {
		switch {
		case c.Skipped:
			out++
		case c.Met:
			met++
		default:
			missed++
		}
	}
	fmt.Fprintf(b, "# Bars\n\n%d bars met, %d missed", met, missed)
	if out > 0 {
		fmt.Fprintf(b, ", %d not in this run", out)
	}
	b.WriteString(". Made from a run, not by hand: `")
	fmt.Fprintf(b, "%s`", r.Info.Command)
	if l := circumstances(r.Info); len(l) > 0 {
		fmt.Fprintf(b, " on %s", strings.Join(l, "; "))
	}
	b.WriteString(".\n")
	file := ""
	for _, c := range checks {
		if c.Bar.File != file {
			file = c.Bar.File
			name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
			fmt.Fprintf(b, "\n## %s\n\n| case | against | metric | bar | reached | 95 %% interval | | note |\n|---|---|---|---|---:|---|---|---|\n", name)
		}
		barLine(b, c)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func barLine(b *strings.Builder, c result.Check) {
	name := c.Bar.Case
	if c.Key != "" {
		name = c.Key + "-" + strconv.Itoa(c.CPUs)
	}
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
	if c.Bar.Absolute() {
		against = "the figure itself"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", escape(name), escape(against), c.Bar.Metric,
		strings.NewReplacer("<=", "≤ ", ">=", "≥ ").Replace(c.Bar.Want()), escape(reached), iv, verdict, escape(c.Bar.Note))
}
