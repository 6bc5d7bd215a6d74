package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// section is a table, and a group of plots on the page.
type section struct {
	Title, Before, After string
	Rows                 []*row
}

// print writes the table, 80 columns wide, and what is untrue and why.
func (s section) print(w io.Writer) {
	line := func(cells ...string) {
		for i, width := range []int{-12, -16, -9, 10, 10, 8, -6} {
			pad := strings.Repeat(" ", max(0, max(width, -width)-utf8.RuneCountInString(cells[i])))
			if width < 0 {
				cells[i] += pad
			} else {
				cells[i] = pad + cells[i]
			}
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, " "), " "))
	}
	fmt.Fprintf(w, "\n%s\n\n", s.Title)
	line("", "", "claim", s.Before, s.After, "better", "")
	last := ""
	for _, r := range s.Rows {
		what := r.What
		if what == last {
			what = ""
		}
		last = r.What
		line(what, r.Figure, r.Claim, number(median(r.Before)), number(median(r.After)), r.Measured(), r.Verdict())
	}
	for _, r := range s.Rows {
		if r.Untrue() {
			fmt.Fprintf(w, "\n%s, %s: claimed %s, measured %s.\n  %s\n", r.What, r.Figure, r.Claim, r.Measured(), r.Why)
		}
	}
}

// number prints v in three digits or so.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	case v >= 100 || v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// progress tells on a terminal what is measured now, in one line that is rewritten.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r"+format+"\x1b[K", args...)
	}
}
