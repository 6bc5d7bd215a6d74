package report

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sampleRun has one of everything that a report must show.
func sampleRun() *result.Run {
	var rows []result.Row
	add := func(group, name string, cpus int, metrics []string, impls map[string]float64, order ...string) {
		solo := func(n string) result.Row {
			ns := impls[n]
			r := result.Row{
				Group: group, Case: name, Impl: n, CPUs: cpus, NsPerOp: ns, CPUNsPerOp: 2 * ns, AllocsPerOp: 1, BytesPerOp: 24,
				Rounds: 12, Doc: "One op is one <op>.", Config: "config of " + n, Compare: metrics, Lead: n == order[0],
				Metrics: map[string]float64{"cores": 2, "peak-bytes": 2e7, "p50-ns": 3 * ns, "p99-ns": 90 * ns, "p999-ns": 1e3 * ns},
			}
			return r
		}
		for _, n := range order[1:] {
			r := solo(order[0])
			r.Baseline = n
			v := impls[n] / impls[order[0]]
			lo, hi := v*0.9, v*1.2
			r.Ratio = &result.Ratio{Value: v, Lo: &lo, Hi: &hi, P: 0.001}
			r.Ratios = map[string]*result.Ratio{metrics[0]: r.Ratio, "p99-ns": {Value: v / 2}}
			r.Extra = n == "extra"
			rows = append(rows, r)
		}
		for _, n := range order[1:] {
			rows = append(rows, solo(n))
		}
	}
	times := map[string]float64{"poundlock": 50, "chan": 75, "ants": 900, "extra": 40, "a-name-that-is-far-too-long": 1e6}
	for _, cpus := range []int{1, 2, 8} {
		add("workerpool", "empty/workers=8", cpus, []string{"ns/op"}, times, "poundlock", "chan", "ants", "extra", "a-name-that-is-far-too-long")
	}
	add("workerpool", "latency", 2, []string{"p50-ns", "p99-ns"}, times, "poundlock", "chan", "ants")
	add("locks", "rw/writes=10%", 2, []string{"ns/op"}, map[string]float64{"poundlock": 30, "sync.RWMutex": 20}, "poundlock", "sync.RWMutex")
	add("floor", "primitives", 2, []string{"ns/op"}, map[string]float64{"atomic": 2, "extra": 20}, "atomic", "extra")
	rows = append(rows,
		result.Row{Group: "locks", Case: "lost", Impl: "poundlock", Baseline: "x", Lead: true, CPUs: 2, Rounds: 12, NsPerOp: 5, Compare: []string{"ns/op"}, Disturbed: 4},
		result.Row{Group: "locks", Case: "lost", Impl: "x", CPUs: 2, Failed: "1 of 3 <ran>\nand a second line"},
		result.Row{Group: "locks", Case: "lost", Impl: "y", CPUs: 2, Skipped: "needs another system"},
		result.Row{Group: "empty", Case: "zero", Impl: "poundlock", Lead: true, CPUs: 2, Rounds: 1, Compare: []string{"tea/op"}})
	return &result.Run{
		Info: result.Info{
			Command: "go run -C bench . -run 'a|b'", Machine: result.Machine{GOOS: "linux", GOARCH: "amd64", Go: "go1.26", CPU: "A CPU", Cores: 2, MaxPs: 2},
			Rounds: 12, BenchTime: "20ms", Samples: 99,
		},
		Rows: rows,
	}
}
