package report

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// csvRows writes one line per row of the result; a column per further metric.
func csvRows(w io.Writer, rows []result.Row) error {
	units := make(map[string]bool)
	for i := range rows {
		for u := range rows[i].Metrics {
			units[u] = true
		}
	}
	more := slices.Sorted(maps.Keys(units))
	cw := csv.NewWriter(w)
	head := []string{
		"group", "case", "impl", "baseline", "cpus", "ns_per_op", "cpu_ns_per_op", "allocs_per_op", "bytes_per_op",
		"metric", "ratio", "ratio_lo", "ratio_hi", "p", "rounds", "disturbed", "failed", "skipped",
	}
	if err := cw.Write(append(head, more...)); err != nil {
		return err
	}
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for i := range rows {
		r := &rows[i]
		q := []string{"", "", "", ""}
		if r.Ratio != nil {
			q[0], q[3] = num(r.Ratio.Value), num(r.P)
			if lo, hi, ok := r.Interval(); ok {
				q[1], q[2] = num(lo), num(hi)
			}
		}
		line := []string{
			r.Group, r.Case, r.Impl, r.Baseline, strconv.Itoa(r.CPUs),
			num(r.NsPerOp), num(r.CPUNsPerOp), num(r.AllocsPerOp), num(r.BytesPerOp),
			r.Metric(), q[0], q[1], q[2], q[3], strconv.Itoa(r.Rounds), strconv.Itoa(r.Disturbed), r.Failed, r.Skipped,
		}
		for _, u := range more {
			v := ""
			if x, ok := r.Metrics[u]; ok {
				v = num(x)
			}
			line = append(line, v)
		}
		if err := cw.Write(line); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}
