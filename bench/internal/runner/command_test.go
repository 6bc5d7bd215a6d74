package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// fakeCases are measured by fakeLaunch: pool's other implementations take 2, 4
// and 10 times as long as poundlock.
func fakeCases() []compare.Case {
	im := func(names ...string) (v []compare.Impl) {
		for _, n := range names {
			v = append(v, compare.Impl{Name: n, Bench: nop, Config: "as it comes"})
		}
		return v
	}
	return []compare.Case{
		{
			Group: "pool", Name: "empty/workers=2", Doc: "One op is one task.", Quick: true, CPUs: []int{1, 2},
			Baselines: []string{"x2", "x4"}, Impls: im("poundlock", "x2", "x4", "x10"),
		},
		{
			Group: "pool", Name: "wait", Metrics: []string{"p50-ns", "p99-ns"},
			Baselines: []string{"x2"}, Impls: im("poundlock", "x2"),
		},
		{Group: "locks", Name: "rw", Baselines: []string{"x4"}, Impls: im("poundlock", "x4")},
	}
}

// fakeLaunch answers at once. The machine's speed changes with every sample, by
// less between neighbours than over time, as it does. A ratio so depends on the order
// of the samples a little, which a test fixes by -seed.
type fakeLaunch struct {
	n     int
	fail  string             // this implementation fails
	after int                // after so many samples
	stop  context.CancelFunc // interrupt
	took  time.Duration
}

func (f *fakeLaunch) launch(ctx context.Context, rq request) reply {
	if f.n++; f.stop != nil && f.n > f.after {
		f.stop()
		return reply{err: ctx.Err()}
	}
	time.Sleep(f.took) // real time: callers run it in a synctest bubble when took is not 0
	if rq.impl.Name == f.fail {
		return reply{stdout: failMark + `"1 of 7 tasks ran"`, err: fmt.Errorf("exit status 3")}
	}
	factor := 1.0
	_, _ = fmt.Sscanf(rq.impl.Name, "x%g", &factor)
	ns := 100 * factor * (1 + float64(f.n%100)/1000)
	values := map[string]float64{
		"ns/op": ns, "allocs/op": 0, "B/op": 8 * factor, "cpu-ns/op": ns * 1.5, "cores": 1.5, "peak-bytes": 1e6,
		"p50-ns": ns * 3, "p99-ns": ns * 9, "p999-ns": ns * 30, "p99/p50": 3,
	}
	return reply{stdout: formatLine(lineName(rq.c, rq.impl.Name, rq.cpus), 1000, values), cpu: time.Millisecond}
}

// runCommand runs the whole command on fakeCases with args and an output
// directory of its own.
func runCommand(t *testing.T, f *fakeLaunch, args ...string) (status int, dir, stdout, stderr string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if f.after > 0 {
		f.stop = cancel
	}
	var out, errs bytes.Buffer
	status = command{
		cases: all(fakeCases()), launch: f.launch, stdout: &out, stderr: &errs,
		name: "go run -C bench .", args: append([]string{"-out", dir, "-seed", "1"}, args...),
	}.run(ctx)
	return status, dir, out.String(), errs.String()
}

func TestBadInputIsOneLineAndStatus2(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("this is no bar file at all"), 0o644))
	bars := barFile(t, "pool/wait x2 ns/op 1")
	for want, args := range map[string][]string{
		"no case matches":                       {"-run", "nosuch"},
		"in the -quick run":                     {"-run", "locks", "-quick"},
		"missing closing":                       {"-run", "("},
		`"0" is not a number from 1`:            {"-cpu", "0,2"},
		`"two" is not a number`:                 {"-cpu", "two"},
		"-rounds -1 is negative":                {"-rounds", "-1"},
		"-benchtime -1s is negative":            {"-benchtime", "-1s"},
		"invalid value":                         {"-benchtime", "10"},
		"none of summary, table, markdown":      {"-format", "xml"},
		"-slack 0":                              {"-slack", "0"},
		"-timeout 0s":                           {"-timeout", "0"},
		"not defined: -wrong":                   {"-wrong"},
		`unexpected argument "pool"`:            {"pool"},
		"not a directory":                       {"-out", filepath.Join(file, "sub")},
		"file:1: want CASE":                     {"-fail-below", file},
		"no such file":                          {"-fail-below", file + "2"},
		"no *.txt":                              {"-fail-below", t.TempDir()},
		"-compare: " + file + ": invalid":       {"-compare", file},
		file + ": invalid":                      {"-from", file},
		"-bars needs":                           {"-bars", file},
		"is no table of bars":                   {"-bars", file, "-fail-below", bars},
		"-bars: open ":                          {"-bars", filepath.Join(t.TempDir(), "none", "BARS.md"), "-fail-below", bars},
		"-update: open":                         {"-update", file + "2"},
		"no line <!-- bench REGEXP -->":         {"-update", file},
		"3.json: no such file or directory":     {"-from", file + "3.json"},
		"-compare: open " + file + "4.json: no": {"-compare", file + "4.json"},
	} {
		status, _, _, stderr := runCommand(t, &fakeLaunch{}, args...)
		assert.Equal(t, statusUsage, status, "%v", args)
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		assert.Contains(t, lines[len(lines)-1], want, "%v", args)
		assert.Len(t, lines, 1, "%v", args)
		assert.True(t, strings.HasPrefix(lines[len(lines)-1], "bench: "), "%v", args)
	}
}

func TestHelp(t *testing.T) {
	status, _, stdout, _ := runCommand(t, &fakeLaunch{}, "-help")
	assert.Equal(t, statusOK, status)
	assert.Contains(t, stdout, "-fail-below")
}

func TestList(t *testing.T) {
	f := &fakeLaunch{}
	status, dir, stdout, _ := runCommand(t, f, "-list")
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "pool/empty/workers=2\tpoundlock x2 x4 x10\npool/wait\tpoundlock x2\nlocks/rw\tpoundlock x4\n", stdout)
	assert.Zero(t, f.n)
	assert.NoDirExists(t, dir)
}

func TestRunWritesEverything(t *testing.T) {
	f := &fakeLaunch{}
	status, dir, stdout, stderr := runCommand(t, f, "-rounds", "8")
	require.Equal(t, statusOK, status, stderr)
	assert.Equal(t, 8*(4+4+2+2), f.n)
	assert.Contains(t, stderr, "4 cases, 12 implementations, 8 rounds")
	assert.Contains(t, stderr, "round 8 of 8")
	assert.Regexp(t, `(?m)^  pool +3 +3 +0 +0 `, stdout)
	assert.NotContains(t, stdout, "empty/workers=2", "what is ahead needs no line")

	raw, err := os.ReadFile(filepath.Join(dir, "raw.txt"))
	require.NoError(t, err)
	assert.Equal(t, f.n, strings.Count(string(raw), "\nBenchmark"))
	assert.Contains(t, string(raw), "\nBenchmarkPool/empty/workers=2/impl=x10-1\t1000\t")
	assert.Contains(t, string(raw), "goos: ")
	assert.FileExists(t, filepath.Join(dir, "report.html"))

	var rows []map[string]any
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &rows))
	first := rows[0]
	assert.Equal(t, "pool", first["group"])
	assert.Equal(t, "poundlock", first["impl"])
	assert.Equal(t, "x2", first["baseline"])
	assert.InDelta(t, 2, first["ratio"], 0.05)
	for _, key := range []string{"cpus", "ns_per_op", "cpu_ns_per_op", "allocs_per_op", "bytes_per_op", "metrics", "ratio_lo", "ratio_hi", "p", "rounds"} {
		assert.Contains(t, first, key)
	}

	r, err := result.Load(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	assert.Contains(t, r.Info.Command, "go run -C bench . -out ")
	assert.Equal(t, 8, r.Info.Rounds)
	for _, row := range r.Rows {
		assert.Equal(t, 8, row.Rounds)
		if row.Case == "wait" && row.Baseline != "" {
			assert.Equal(t, row.Ratios["p50-ns"].Value, row.Ratio.Value, "the first metric decides")
			assert.Contains(t, row.Ratios, "p99-ns")
		}
	}
}

func TestRunRegexpAndCPU(t *testing.T) {
	f := &fakeLaunch{}
	status, _, stdout, _ := runCommand(t, f, "-rounds", "1", "-run", "^pool/em", "-cpu", "4,8", "-format", "csv")
	assert.Equal(t, statusOK, status)
	assert.Equal(t, 8, f.n)
	assert.Contains(t, stdout, "\npool,empty/workers=2,poundlock,x2,8,")
	assert.NotContains(t, stdout, "locks")
}

// The summary is for all cases; who asks for some wants to see them, and one can
// always ask for either.
func TestFormats(t *testing.T) {
	const block = "pool/empty/workers=2 · GOMAXPROCS 1 (1 round)\n"
	_, _, stdout, stderr := runCommand(t, &fakeLaunch{}, "-rounds", "1", "-cpu", "1", "-run", "empty")
	assert.Contains(t, stdout, block)
	assert.Contains(t, stderr, "1 case, 4 implementations, 1 round of")
	_, _, stdout, _ = runCommand(t, &fakeLaunch{}, "-rounds", "1", "-format", "table")
	assert.Contains(t, stdout, block)
	assert.Contains(t, stdout, "locks/rw (1 round)\n")
	_, _, stdout, _ = runCommand(t, &fakeLaunch{}, "-rounds", "1", "-run", "empty", "-format", "summary")
	assert.NotContains(t, stdout, block)
	assert.Contains(t, stdout, "2.00× (1 round)")
}

// What an interrupt leaves is reported, and everything says so.
func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	f := &fakeLaunch{after: 30}
	status, dir, stdout, _ := runCommand(t, f, "-rounds", "100")
	assert.Equal(t, statusInterrupted, status)
	assert.Contains(t, stdout, "wait, median latency")
	r, err := result.Load(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	assert.Equal(t, 30, r.Info.Samples)
	assert.Equal(t, 100, r.Info.Planned)
	assert.True(t, r.Info.Interrupted)
	const says = "interrupted after 2 of 100 rounds"
	assert.Equal(t, says, r.Info.Ended)
	assert.Contains(t, stdout, says)
	for _, name := range []string{"report.html", "raw.txt", "run.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Contains(t, string(text), says, name)
	}
	_, _, stdout, _ = runCommand(t, f, "-from", filepath.Join(dir, "results.json"), "-format", "markdown")
	assert.Contains(t, stdout, says)
}

func TestInterruptBeforeAnything(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	status := command{
		cases: all(fakeCases()), launch: (&fakeLaunch{}).launch, stdout: &out, stderr: &errs,
		args: []string{"-out", t.TempDir()},
	}.run(ctx)
	assert.Equal(t, statusInterrupted, status, errs.String())
}

// An implementation that drops work is shown as failed, gets no ratio, is not
// measured again, and the exit status tells.
func TestFailureIsShown(t *testing.T) {
	f := &fakeLaunch{fail: "x4"}
	status, dir, stdout, stderr := runCommand(t, f, "-rounds", "6", "-run", "empty", "-cpu", "2")
	assert.Equal(t, statusShort, status)
	assert.Equal(t, 6*3+1, f.n)
	assert.Contains(t, stdout, "x4 FAILED: 1 of 7 tasks ran")
	assert.Contains(t, stderr, "FAILED pool/empty/workers=2-2: x4: 1 of 7 tasks ran")
	assert.Contains(t, stderr, "failed: 1")
	r, err := result.Load(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	for _, row := range r.Rows {
		if row.Baseline == "x4" {
			assert.Nil(t, row.Ratio)
		}
		if row.Impl == "x4" {
			assert.Equal(t, "1 of 7 tasks ran", row.Failed)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "raw.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(raw), `--- FAIL: BenchmarkPool/empty/workers=2/impl=x4-2: "1 of 7 tasks ran"`)
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "x4 FAILED: 1 of 7 tasks ran")
}

func TestOwnFailureIsShown(t *testing.T) {
	status, _, stdout, _ := runCommand(t, &fakeLaunch{fail: "poundlock"}, "-rounds", "2")
	assert.Equal(t, statusShort, status)
	assert.Contains(t, stdout, "poundlock FAILED")
}

func TestRaceRunHasNoRatios(t *testing.T) {
	c := command{
		cases: all(fakeCases()), launch: (&fakeLaunch{}).launch, stdout: new(bytes.Buffer), stderr: new(bytes.Buffer),
		args: []string{"-out", t.TempDir(), "-rounds", "2", "-format", "json"}, race: true,
	}
	assert.Equal(t, statusOK, c.run(context.Background()))
	assert.NotContains(t, c.stdout.(*bytes.Buffer).String(), `"ratio"`)
	c.args = append(c.args, "-fail-below", "x")
	assert.Equal(t, statusUsage, c.run(context.Background()))
}

func TestLauncherFaultEndsTheRun(t *testing.T) {
	c := command{
		cases: all(fakeCases()), stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), args: []string{"-out", t.TempDir()},
		launch: func(context.Context, request) reply { return reply{err: os.ErrPermission} },
	}
	assert.Equal(t, statusUsage, c.run(context.Background()))
	assert.Contains(t, c.stderr.(*bytes.Buffer).String(), "cannot run a sample")
}
