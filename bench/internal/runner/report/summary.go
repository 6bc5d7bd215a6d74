package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/runinfo"
)

// terminalWidth is what the summary keeps to.
const terminalWidth = runinfo.Width

// summaryOf is for the terminal too: the cases that are behind or level, one by
// one, and how many there are of each, last because that stays on the screen.
func summaryOf(w io.Writer, r *result.Run) error {
	b := new(strings.Builder)
	gs := groups(r)
	all := summaries(gs)
	for _, v := range []verdict{level, behind} {
		if points := chosen(all, v); len(points) > 0 {
			fmt.Fprintf(b, "%s (%d of %s)\n", verdictHead[v], len(points), Count(total(all).sum(), "case"))
			pointLines(b, all, v)
			b.WriteByte('\n')
		}
	}
	for _, g := range gs {
		for _, c := range g.cells {
			for i := range c.impls {
				if c.impls[i].row.Failed != "" {
					_ = runinfo.Fold(b, strings.Fields(fmt.Sprintf("%s/%s: %s", g.name, c.title(), troubleOf(c.impls[i].row))))
				}
			}
		}
	}
	summaryTable(b, r, all)
	_, err := io.WriteString(w, b.String())
	return err
}

var verdictHead = map[verdict]string{
	level:  "Level: the 95 % interval includes 1×, or too few rounds",
	behind: "Behind the best alternative",
}

// pointLines lists the cases of one verdict by group: the name, the alternative, its
// figure over ours. What does not fit beside a name goes below it.
func pointLines(b *strings.Builder, all []summary, v verdict) {
	alt, told := 0, 0
	points := chosen(all, v)
	for _, p := range points {
		alt = max(alt, utf8.RuneCountInString(clip(p.best.row.Impl)))
		told = max(told, utf8.RuneCountInString(p.told()))
	}
	room := terminalWidth - 4 - alt - 2 - told - 2
	for _, s := range all {
		head := false
		for _, p := range points {
			if p.cell.group != s.name {
				continue
			}
			if !head {
				head = true
				fmt.Fprintf(b, "  %s\n", s.name)
			}
			name := p.cell.title()
			if q := p.cell.quantity(); q != "" {
				name += ", " + q
			}
			if utf8.RuneCountInString(name) > room {
				fmt.Fprintf(b, "    %s\n", name)
				name = ""
			}
			fmt.Fprintf(b, "    %s  %s  %s\n", pad(name, room), pad(clip(p.best.row.Impl), alt), strings.Repeat(" ", told-utf8.RuneCountInString(p.told()))+p.told())
		}
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
}

func total(all []summary) (t tally) {
	for _, s := range all {
		t.add(s.tally)
	}
	return t
}

// summaryTable prints a line per group.
func summaryTable(b *strings.Builder, r *result.Run, all []summary) {
	if r.Info.Ended != "" {
		fmt.Fprintf(b, "%s: fewer figures, and wider intervals or none\n\n", r.Info.Ended)
	}
	if len(all) == 0 {
		return
	}
	failed := 0
	for _, s := range all {
		failed += s.failed
	}
	lines := [][]string{{"", "cases", "ahead", "level", "behind", "mean", "least", "most"}}
	if failed > 0 {
		lines[0] = append(lines[0], "failed")
	}
	line := func(name string, t tally, ratios []string, failed1 int) {
		l := append([]string{name, fmt.Sprint(t.sum()), fmt.Sprint(t[ahead]), fmt.Sprint(t[level]), fmt.Sprint(t[behind])}, ratios...)
		if failed > 0 {
			l = append(l, fmt.Sprint(failed1))
		}
		lines = append(lines, l)
	}
	for _, s := range all {
		ratios := []string{"–", "–", "–"}
		if len(s.points) > 0 {
			ratios = []string{times(s.mean), times(s.lo), times(s.hi)}
		}
		line(s.name, s.tally, ratios, s.failed)
	}
	if len(all) > 1 {
		line("all", total(all), []string{"", "", ""}, failed)
	}
	b.WriteString("The best alternative's time ÷ poundlock's, case by case: above 1× poundlock is\nahead, where the 95 % interval includes 1× it is level.\n\n")
	align(b, lines)
}
