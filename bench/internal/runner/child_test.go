package runner

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// takeSample measures one implementation of childCases in a real process.
func takeSample(t *testing.T, impl string, timeout time.Duration) sample {
	t.Helper()
	cases := childCases()
	m := &campaign{
		units: []unit{{&cases[0], 2}}, budget: budget{benchTime: 50 * time.Millisecond, rounds: 1},
		timeout: timeout, launch: launch, rng: rand.New(rand.NewPCG(1, 1)), raw: new(bytes.Buffer),
	}
	for i := range cases[0].Impls {
		if cases[0].Impls[i].Name == impl {
			s, _, err := m.sample(context.Background(), job{impl: i})
			require.NoError(t, err)
			return s
		}
	}
	t.Fatalf("no implementation %q", impl)
	return sample{}
}

func TestChildMeasures(t *testing.T) {
	s := takeSample(t, "good", time.Minute)
	require.Empty(t, s.failed)
	assert.Contains(t, s.line, "BenchmarkSelf/kinds/n=1/impl=good-2\t")
	assert.Greater(t, s.values[result.NsPerOp], 0.0)
	assert.Contains(t, s.values, result.AllocsPerOp)
	if runtime.GOOS == "linux" {
		assert.Contains(t, s.values, result.CPUPerOp)
		assert.Greater(t, s.values[result.PeakBytes], 1e6)
		assert.Greater(t, s.values[result.Cores], 0.0)
	}
}

// A number of ops that is known ends the search for it, once.
func TestSearchIsCutShort(t *testing.T) {
	m := meter{ops: 300_000}
	for _, c := range [][2]int{{1, 1}, {100, 100}, {10_000, 10_000}, {80_000, 300_000}, {900_000, 900_000}} {
		b := &testing.B{N: c[0]}
		m.cutSearch(b)
		assert.Equal(t, c[1], b.N, "in place of %d", c[0])
	}
	m = meter{}
	b := &testing.B{N: 100}
	m.cutSearch(b)
	assert.Equal(t, 100, b.N, "no number is known")

	assert.Equal(t, "10ms", (&meter{}).benchTime("10ms"))
	assert.Equal(t, "5ms", (&meter{ops: 100}).benchTime("10ms"))
	assert.Equal(t, "10x", (&meter{ops: 100}).benchTime("10x"))
}

func TestChildOfSoManyOps(t *testing.T) {
	cases := childCases()
	r := launch(context.Background(), request{&cases[0], &cases[0].Impls[0], 2, "20ns", 8, time.Minute})
	require.NoError(t, r.err, r.stderr)
	line, _, _, _, err := parseOutput(r.stdout, lineName(&cases[0], "good", 2))
	require.NoError(t, err, r.stdout)
	assert.Equal(t, 1, opsOf(line))
}

func TestChildReports(t *testing.T) {
	s := takeSample(t, "reports", time.Minute)
	assert.Equal(t, 123456.0, s.values["p99-ns"])
	assert.Equal(t, 42.0, s.values[result.PeakBytes], "the benchmark's own figure wins")

	s = takeSample(t, "allocates", time.Minute)
	assert.Equal(t, 1.0, s.values[result.AllocsPerOp])
	assert.InDelta(t, 64, s.values[result.BytesPerOp], 1)
}

// An implementation that does not do its work has failed, whichever way.
func TestChildFailures(t *testing.T) {
	for impl, want := range map[string]string{
		"drops":      "only 2 of 3 tasks ran",
		"drops-late": "tasks ran",
		"panics":     "panic: boom",
		"exits":      "no result",
		"hangs":      "no result after 3s",
	} {
		timeout := time.Minute
		if impl == "hangs" {
			timeout = 3 * time.Second // a child under the race detector needs one to get there
		}
		s := takeSample(t, impl, timeout)
		assert.Contains(t, s.failed, want, impl)
		if impl == "hangs" && runtime.GOOS != "windows" {
			assert.Contains(t, s.stderr, "childCases", "where it hangs")
		}
		assert.Empty(t, s.values, impl)
	}
}

// Under go run -race, a data race is a failure of the implementation.
func TestChildRaces(t *testing.T) {
	s := takeSample(t, "races", time.Minute)
	if compare.RaceEnabled {
		assert.Contains(t, s.failed, "race detected")
		assert.Contains(t, s.stderr, "WARNING: DATA RACE")
	} else {
		assert.Empty(t, s.failed)
	}
}

func TestChildSkips(t *testing.T) {
	s := takeSample(t, "skips", time.Minute)
	assert.Contains(t, s.skipped, "not on this machine")
	assert.Empty(t, s.failed)
}

func TestChildOutputOfOthersIsIgnored(t *testing.T) {
	s := takeSample(t, "noisy", time.Minute)
	assert.Empty(t, s.failed)
	assert.Contains(t, s.line, "impl=noisy")
}

func TestChildOfUnknownCase(t *testing.T) {
	t.Setenv(envCase, "self/none")
	var out bytes.Buffer
	assert.Equal(t, 3, child(groupsOf(childCases()), &out))
	assert.Contains(t, out.String(), failMark)
}

func TestLineRoundTrip(t *testing.T) {
	want := map[string]float64{
		result.NsPerOp: 12.3456, result.AllocsPerOp: 0, result.BytesPerOp: 24, result.PeakBytes: 123456789,
		"p99-ns": 0.00012, "x": 1e18,
	}
	line := formatLine("BenchmarkX/impl=y-2", 1000, want)
	assert.True(t, strings.HasPrefix(line, "BenchmarkX/impl=y-2\t1000\t12.3456 ns/op\t24.0000 B/op\t0 allocs/op"), line)
	got, values, failed, skipped, err := parseOutput("noise\n"+line+"\nPASS\n", "BenchmarkX/impl=y-2")
	require.NoError(t, err)
	assert.Equal(t, line, got)
	assert.Empty(t, failed+skipped)
	assert.InDeltaMapValues(t, want, values, 1e-9)
}

func TestParseOutputRefusesNonsense(t *testing.T) {
	for _, out := range []string{
		"", "BenchmarkX\t1", "BenchmarkX\t1\tNaN ns/op", "BenchmarkX\t1\t5 B/op", "BenchmarkX\t1\tx ns/op", "BenchmarkXY\t1\t5 ns/op",
	} {
		_, _, _, _, err := parseOutput(out, "BenchmarkX")
		assert.Error(t, err, "%q", out)
	}
}

func TestTailKeepsBothEnds(t *testing.T) {
	var w tail
	for range 1000 {
		_, _ = w.Write([]byte("panic: first\n" + strings.Repeat("x", 1000)))
	}
	_, _ = w.Write([]byte("last"))
	s := w.String()
	assert.True(t, strings.HasPrefix(s, "panic: first"))
	assert.True(t, strings.HasSuffix(s, "last"))
	assert.LessOrEqual(t, len(s), 3*tailKeep)
}
