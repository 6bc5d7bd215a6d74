package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// Compare tells what got slower, and then what got faster, since an older run.
func Compare(w io.Writer, old, now *result.Run) error {
	changes, common := result.Compare(old.Rows, now.Rows)
	b := new(strings.Builder)
	if common == 0 {
		b.WriteString("\ncompared with the older run: no case in common\n")
	}
	part := func(title string, slower bool) {
		var lines [][]string
		for _, c := range changes {
			if (c.Times > 1) == slower {
				lines = append(lines, changeLine(c))
			}
		}
		fmt.Fprintf(b, "\n%s than before: %d of %d\n", title, len(lines), common)
		if len(lines) > 0 {
			align(b, lines)
		}
	}
	if common > 0 {
		part("slower", true)
		part("faster", false)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func changeLine(c result.Change) []string {
	r := c.Row
	l := []string{r.Key() + "-" + strconv.Itoa(r.CPUs) + " " + r.Impl}
	if c.Paired {
		l = append(l, "against "+r.Baseline, times(c.Old)+" → "+times(c.New))
	} else {
		l = append(l, r.Metric(), figure(c.Old, r.Metric())+" → "+figure(c.New, r.Metric()))
	}
	sure := "within noise"
	switch {
	case c.Sure:
		sure = "sure"
	case !c.Paired:
		sure = "absolute: perhaps the machine"
	}
	change := times(c.Times) + " as long"
	return append(l, change, sure)
}
