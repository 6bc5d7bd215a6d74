package runner

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// sample is one implementation measured once.
type sample struct {
	unit      int // index into the plan's units
	impl      int // index into the case's Impls
	round     int
	line      string // as the child printed it
	values    map[string]float64
	failed    string // the implementation did not do its work
	skipped   string
	stderr    string // of a child that failed: stacks, race reports
	disturbed bool   // others used or stole a core meanwhile
}

// firstUnits come first in a benchmark line, as readers expect.
var firstUnits = []string{result.NsPerOp, result.BytesPerOp, result.AllocsPerOp, result.CPUPerOp, result.Cores}

// formatLine makes a standard benchmark line.
func formatLine(name string, n int, values map[string]float64) string {
	var units []string
	for u := range values {
		units = append(units, u)
	}
	rank := func(u string) int {
		if i := slices.Index(firstUnits, u); i >= 0 {
			return i
		}
		return len(firstUnits)
	}
	slices.SortFunc(units, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var s strings.Builder
	fmt.Fprintf(&s, "%s\t%d", name, n)
	for _, u := range units {
		fmt.Fprintf(&s, "\t%s %s", formatFloat(values[u]), u)
	}
	return s.String()
}

// formatFloat prints six digits without an exponent where it can.
func formatFloat(v float64) string {
	if a := math.Abs(v); a >= 1e5 && a < 1e15 || v == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	} else if a >= 1e-3 && a < 1e5 {
		return strconv.FormatFloat(v, 'f', 5-int(math.Floor(math.Log10(a))), 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// parseOutput reads what a child printed: the figures, or why there are none. A
// library may print to standard output as well, so only the child's own last
// line counts.
func parseOutput(out, name string) (line string, values map[string]float64, failed, skipped string, err error) {
	lines := strings.Split(out, "\n")
	for _, l := range slices.Backward(lines) {
		switch {
		case strings.HasPrefix(l, failMark):
			return "", nil, unquote(l[len(failMark):]), "", nil
		case strings.HasPrefix(l, skipMark):
			return "", nil, "", unquote(l[len(skipMark):]), nil
		case strings.HasPrefix(l, name+"\t"):
			values, err = parseLine(l)
			return l, values, "", "", err
		}
	}
	return "", nil, "", "", fmt.Errorf("no line for %s in the output", name)
}

func parseLine(line string) (map[string]float64, error) {
	f := strings.Fields(line)
	if len(f) < 4 || len(f)%2 != 0 {
		return nil, fmt.Errorf("not a benchmark line: %q", line)
	}
	values := make(map[string]float64)
	for i := 2; i < len(f); i += 2 {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("bad figure %q in %q", f[i], line)
		}
		values[f[i+1]] = v
	}
	if _, ok := values[result.NsPerOp]; !ok {
		return nil, fmt.Errorf("no ns/op in %q", line)
	}
	return values, nil
}

// opsOf returns the number of ops that a benchmark line tells of.
func opsOf(line string) int {
	if f := strings.Fields(line); len(f) > 1 {
		n, _ := strconv.Atoi(f[1])
		return n
	}
	return 0
}

func unquote(s string) string {
	if u, err := strconv.Unquote(strings.TrimSpace(s)); err == nil {
		return u
	}
	return s
}
