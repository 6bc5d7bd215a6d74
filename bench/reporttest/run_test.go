package reporttest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/batchchanbench"
	"github.com/poundlock/poundlock/internal/compare/connpoolbench"
	"github.com/poundlock/poundlock/internal/compare/floorbench"
	"github.com/poundlock/poundlock/internal/compare/lockfreebench"
	"github.com/poundlock/poundlock/internal/compare/locksbench"
	"github.com/poundlock/poundlock/internal/compare/objpoolbench"
	"github.com/poundlock/poundlock/internal/compare/observebench"
	"github.com/poundlock/poundlock/internal/compare/workerpoolbench"
)

// run is a whole run of the real cases, as they are named and documented today,
// with made-up figures: some ahead, some level, some behind, one that failed.
func run() *result.Run {
	cases := slices.Concat(floorbench.Cases(), workerpoolbench.Cases(), batchchanbench.Cases(),
		connpoolbench.Cases(), lockfreebench.Cases(), locksbench.Cases(), objpoolbench.Cases(), observebench.Cases())
	r := &result.Run{Info: result.Info{
		Command: "go run -C bench . -fail-below bars -bars BARS.md -update ../README.md -update RESULTS.md", Version: "0123456789ab",
		Machine: result.Machine{GOOS: "linux", GOARCH: "amd64", Go: "go1.26.0", CPU: "A Processor With A Long Name 9999X", Cores: 2, MaxPs: 2, Memory: 16e9, Kernel: "6.18.0"},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 5 * time.Minute, Rounds: 12, Planned: 12, BenchTime: "10ms", Samples: 6000,
	}}
	for i := range cases {
		c := &cases[i]
		cpus := c.CPUs
		if cpus == nil {
			cpus = []int{2}
		}
		for _, n := range cpus {
			r.Rows = append(r.Rows, rowsOf(c, n)...)
		}
	}
	r.Rows[len(r.Rows)-1].Failed = "1 of 12345 objects came back, " + "which is a long story that does not fit into one line of a page on a phone"
	return r
}

func rowsOf(c *compare.Case, cpus int) (rows []result.Row) {
	h := fnv.New64a()
	h.Write([]byte(c.Key()))
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(cpus)))
	metrics := c.Metrics
	if metrics == nil {
		metrics = []string{result.NsPerOp}
	}
	solo := func(i int) result.Row {
		ns := 50 * math.Exp(rng.NormFloat64()*2)
		r := result.Row{
			Group: c.Group, Case: c.Name, Impl: c.Impls[i].Name, CPUs: cpus, Lead: i == 0, Own: i > 0 && c.Impls[i].Own,
			NsPerOp: ns, CPUNsPerOp: 1.8 * ns, AllocsPerOp: float64(i), BytesPerOp: 24 * float64(i), Rounds: 12,
			Doc: c.Doc, Config: c.Impls[i].Config, Compare: metrics, Metrics: map[string]float64{result.Cores: 1.8, result.PeakBytes: 2e7},
		}
		for _, m := range metrics {
			if m != result.NsPerOp && m != result.AllocsPerOp && m != result.BytesPerOp {
				r.Metrics[m] = 7 * ns
			}
		}
		if i == 1 {
			r.Disturbed = 12
		}
		return r
	}
	first := solo(0)
	for i := range c.Impls[1:] {
		r := first
		r.Baseline = c.Impls[i+1].Name
		r.Extra = !slices.Contains(c.Baselines, r.Baseline)
		r.Ratios = make(map[string]*result.Ratio)
		for _, m := range metrics {
			v := math.Exp(0.5 + rng.NormFloat64())
			lo, hi := v/(1+0.4*rng.Float64()), v*(1+0.4*rng.Float64())
			r.Ratios[m] = &result.Ratio{Value: v, Lo: &lo, Hi: &hi}
		}
		r.Ratio = r.Ratios[metrics[0]]
		rows = append(rows, r)
	}
	if rows == nil {
		rows = append(rows, first)
	}
	for i := range c.Impls[1:] {
		rows = append(rows, solo(i+1))
	}
	return rows
}
