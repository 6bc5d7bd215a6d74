// Package result holds what a run of the benchmark runner found: one [Row] per
// pair of implementations compared, with the statistics that make it, the file
// it is kept in, the comparison of two runs and the check of minimum ratios.
package result

import (
	"math"
	"slices"
	"strings"
	"time"
)

// The units that the runner measures for every implementation. A benchmark may
// report more, and its own figure under one of these names wins.
const (
	NsPerOp     = "ns/op"
	CPUPerOp    = "cpu-ns/op"
	AllocsPerOp = "allocs/op"
	BytesPerOp  = "B/op"
	Cores       = "cores"      // CPU time over wall time: cores kept busy
	PeakBytes   = "peak-bytes" // largest resident set of the process
)

// Row is one implementation of a case, held against one other. Figures are
// medians over the rounds. A row without a Baseline only tells how the
// implementation itself did.
type Row struct {
	Group    string `json:"group"`
	Case     string `json:"case"`
	Impl     string `json:"impl"`
	Baseline string `json:"baseline,omitempty"`
	CPUs     int    `json:"cpus"`

	NsPerOp     float64            `json:"ns_per_op"`
	CPUNsPerOp  float64            `json:"cpu_ns_per_op"`
	AllocsPerOp float64            `json:"allocs_per_op"`
	BytesPerOp  float64            `json:"bytes_per_op"`
	Metrics     map[string]float64 `json:"metrics,omitempty"`

	// Ratio is the case's first metric of the baseline over that of Impl, paired
	// round by round: above 1, Impl is better. Nil without a baseline, when
	// either failed, under the race detector, and where a figure is zero.
	*Ratio

	// Ratios are those of all metrics that both have, by unit.
	Ratios map[string]*Ratio `json:"ratios,omitempty"`

	Rounds    int    `json:"rounds"`               // rounds that Impl was measured in
	Disturbed int    `json:"disturbed,omitempty"`  // rounds in which a core was taken away
	Failed    string `json:"failed,omitempty"`     // why Impl did not do the work
	Skipped   string `json:"skipped,omitempty"`    // why Impl did not run here
	Lead      bool   `json:"lead,omitempty"`       // Impl is the case's first: the one judged
	Extra     bool   `json:"undeclared,omitempty"` // the case does not name Baseline as one that Impl is judged by
	Own       bool   `json:"own,omitempty"`        // Impl is beside the case's first and no alternative to it: see [OwnName]
	Quick     bool   `json:"quick,omitempty"`      // the case is in the short run

	Doc     string   `json:"doc,omitempty"`
	Config  string   `json:"config,omitempty"` // Impl's configuration
	Compare []string `json:"compare,omitempty"`

	// ByRound are the figures of every round, by unit; 0 where a round has none.
	// The first row of a case's first implementation has them, and those of the
	// group [FloorGroup], so that the one can be paired with the other.
	ByRound map[string][]float64 `json:"by_round,omitempty"`
}

// FloorGroup is the group of the primitives that all else is made of.
const FloorGroup = "floor"

// OwnName says whether an implementation's name tells that it is no alternative to
// the one that a case judges: poundlock's own code in another form, or the work
// without what the case is about. Such a one tells what something costs; it is
// never counted as an alternative that is ahead or behind.
func OwnName(impl string) bool {
	return impl == "poundlock" || strings.HasPrefix(impl, "poundlock-") ||
		slices.Contains([]string{"floor", "nothing", "quiet", "unwatched"}, impl)
}

// Ratio is a median of paired ratios with its 95 % interval and the U-test's p.
// Lo and Hi are absent when there were fewer than six rounds.
type Ratio struct {
	Value float64  `json:"ratio"`
	Lo    *float64 `json:"ratio_lo,omitempty"`
	Hi    *float64 `json:"ratio_hi,omitempty"`
	P     float64  `json:"p"`
}

// Key returns "group/case".
func (r *Row) Key() string { return r.Group + "/" + r.Case }

// Doubtful says whether a core was taken away in more than a quarter of the
// rounds. Fewer do not move a median.
func (r *Row) Doubtful() bool { return 4*r.Disturbed > r.Rounds }

// Metric returns the first metric of the row's case: what it is judged by.
func (r *Row) Metric() string {
	if len(r.Compare) == 0 {
		return NsPerOp
	}
	return r.Compare[0]
}

// Value returns the figure of the implementation for a unit.
func (r *Row) Value(unit string) (float64, bool) {
	switch unit {
	case NsPerOp:
		return r.NsPerOp, r.Rounds > 0
	case CPUPerOp:
		return r.CPUNsPerOp, r.Rounds > 0
	case AllocsPerOp:
		return r.AllocsPerOp, r.Rounds > 0
	case BytesPerOp:
		return r.BytesPerOp, r.Rounds > 0
	}
	v, ok := r.Metrics[unit]
	return v, ok
}

// Interval returns the bounds of the ratio and whether they are known.
func (r *Ratio) Interval() (lo, hi float64, ok bool) {
	if r == nil || r.Lo == nil || r.Hi == nil {
		return math.NaN(), math.NaN(), false
	}
	return *r.Lo, *r.Hi, true
}

// Info is what a reader needs to judge and repeat a run. It is kept beside the
// rows, in run.json.
type Info struct {
	Command   string        `json:"command"`
	Version   string        `json:"version,omitempty"` // commit of the measured code
	Machine   Machine       `json:"machine"`
	Started   time.Time     `json:"started"`
	Took      time.Duration `json:"took_ns"`
	Rounds    int           `json:"rounds"`                   // the most that any case had
	Planned   int           `json:"rounds_planned,omitempty"` // the most that any was to have
	BenchTime string        `json:"benchtime"`
	Samples   int           `json:"samples"`
	Race      bool          `json:"race,omitempty"`
	Ended     string        `json:"ended,omitempty"` // why it ended early: "interrupted after 3 of 12 rounds"

	// Interrupted says that the user ended it: what was not measured then is not
	// held against anybody.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Machine describes where a run was made.
type Machine struct {
	GOOS   string `json:"goos"`
	GOARCH string `json:"goarch"`
	Go     string `json:"go"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	MaxPs  int    `json:"gomaxprocs"`
	Memory uint64 `json:"memory_bytes,omitempty"`
	Kernel string `json:"kernel,omitempty"`
}

// Run is a whole run: what the reports are made of.
type Run struct {
	Info Info
	Rows []Row
}
