package runner

import (
	"math"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// series holds what one implementation of a unit showed, by unit of measure and
// round; NaN where a round has no figure.
type series struct {
	figures         map[string][]float64
	rounds          int
	disturbed       int
	failed, skipped string
}

func (s *series) put(round int, values map[string]float64) {
	for unit, v := range values {
		f := s.figures[unit]
		for len(f) <= round {
			f = append(f, math.NaN())
		}
		f[round] = v
		s.figures[unit] = f
	}
}

// median of the rounds that have a figure.
func (s *series) median(unit string) (float64, bool) {
	v := slices.DeleteFunc(slices.Clone(s.figures[unit]), math.IsNaN)
	return result.Median(v), len(v) > 0
}

// rows makes the result of the samples: for every unit one row per pair of the
// first implementation with another, and one for each other by itself. Units that
// an interrupt left without a sample of the first have none. Under the race detector times mean nothing,
// and there are no ratios.
func rows(us []unit, samples []sample, race bool) []result.Row {
	all := make([][]*series, len(us))
	for i, u := range us {
		for range u.c.Impls {
			all[i] = append(all[i], &series{figures: make(map[string][]float64)})
		}
	}
	for _, s := range samples {
		e := all[s.unit][s.impl]
		switch {
		case s.failed != "":
			e.failed = s.failed
		case s.skipped != "":
			e.skipped = s.skipped
		default:
			e.rounds++
			e.put(s.round, s.values)
			if s.disturbed {
				e.disturbed++
			}
		}
	}
	var out []result.Row
	for i, u := range us {
		first := len(out)
		out = append(out, unitRows(u, all[i], race)...)
		if !race {
			keepRounds(out[first:], u, all[i])
		}
	}
	return out
}

// keepRounds puts the figures of every round into the rows whose ByRound says so.
func keepRounds(rows []result.Row, u unit, all []*series) {
	for k := range rows {
		r := &rows[k]
		if k > 0 && (r.Group != result.FloorGroup || r.Baseline != "") {
			continue
		}
		i := slices.IndexFunc(u.c.Impls, func(im compare.Impl) bool { return im.Name == r.Impl })
		r.ByRound = all[i].times(metrics(u.c))
	}
}

// times returns the figures by round of those metrics that are times.
func (s *series) times(metrics []string) map[string][]float64 {
	times := make(map[string][]float64)
	for _, unit := range append([]string{result.NsPerOp}, metrics...) {
		f := s.figures[unit]
		if len(f) == 0 || unit != result.NsPerOp && !strings.HasSuffix(unit, "-ns") {
			continue
		}
		times[unit] = make([]float64, len(f))
		for i, v := range f {
			if !math.IsNaN(v) {
				times[unit][i] = v
			}
		}
	}
	return times
}

func unitRows(u unit, all []*series, race bool) (out []result.Row) {
	first := all[0]
	if !first.seen() {
		return nil
	}
	for i := range u.c.Impls {
		if !all[i].seen() {
			continue
		}
		if i > 0 || len(all) == 1 {
			out = append(out, soloRow(u, i, all[i]))
		}
		if i == 0 {
			for k := 1; k < len(all); k++ {
				if !all[k].seen() {
					continue
				}
				r := soloRow(u, 0, first)
				r.Baseline = u.c.Impls[k].Name
				r.Extra = !slices.Contains(u.c.Baselines, r.Baseline)
				if first.failed == "" && all[k].failed == "" && !race {
					pair(&r, metrics(u.c), first, all[k])
				}
				out = append(out, r)
			}
			if len(out) == 0 {
				out = append(out, soloRow(u, 0, first))
			}
		}
	}
	return out
}

func (s *series) seen() bool { return s.rounds > 0 || s.failed != "" || s.skipped != "" }

// pair adds the ratios of every unit that both have. Those that say how well a
// machine was used, not what an op costs, have none.
func pair(r *result.Row, metrics []string, mine, base *series) {
	r.Ratios = make(map[string]*result.Ratio)
	for unit, m := range mine.figures {
		if unit == result.Cores || unit == "MB/s" {
			continue
		}
		if q := result.Paired(m, base.figures[unit]); q != nil {
			r.Ratios[unit] = q
		}
	}
	r.Ratio = r.Ratios[metrics[0]]
}

func soloRow(u unit, i int, s *series) result.Row {
	r := result.Row{
		Group: u.c.Group, Case: u.c.Name, Impl: u.c.Impls[i].Name, CPUs: u.cpus,
		Rounds: s.rounds, Disturbed: s.disturbed, Failed: s.failed, Skipped: s.skipped,
		Lead: i == 0, Own: i > 0 && (u.c.Impls[i].Own || result.OwnName(u.c.Impls[i].Name)), Quick: u.c.Quick, Doc: u.c.Doc, Config: u.c.Impls[i].Config, Compare: metrics(u.c),
	}
	if s.rounds == 0 {
		return r
	}
	get := func(unit string) float64 { v, _ := s.median(unit); return v }
	r.NsPerOp, r.AllocsPerOp, r.BytesPerOp = get(result.NsPerOp), get(result.AllocsPerOp), get(result.BytesPerOp)
	r.Metrics = make(map[string]float64)
	for unit := range s.figures {
		switch v, ok := s.median(unit); {
		case !ok:
		case unit == result.CPUPerOp:
			r.CPUNsPerOp = v
		case unit != result.NsPerOp && unit != result.AllocsPerOp && unit != result.BytesPerOp:
			r.Metrics[unit] = v
		}
	}
	r.Disturbed = max(r.Disturbed, shortOfCores(slices.DeleteFunc(slices.Clone(s.figures[result.Cores]), math.IsNaN)))
	return r
}
