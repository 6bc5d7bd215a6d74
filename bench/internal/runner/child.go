package runner

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// A child process measures one sample. These tell it which; GOMAXPROCS does its
// usual job beside them.
const (
	envCase      = "POUNDLOCK_BENCH_CASE" // group/name
	envImpl      = "POUNDLOCK_BENCH_IMPL"
	envBenchTime = "POUNDLOCK_BENCH_TIME"
	envOps       = "POUNDLOCK_BENCH_OPS" // how many ops take that time, when known
)

// What a child prints instead of a benchmark line; a quoted message follows.
const (
	failMark = "poundlock-bench: FAIL "
	skipMark = "poundlock-bench: SKIP "
)

func isChild() bool { return os.Getenv(envCase) != "" }

// child measures the sample that the environment names and prints it to w as one
// standard benchmark line. It returns the exit status.
func child(groups []compare.Group, w io.Writer) int {
	// An interrupt from the terminal reaches the whole process group; it is the
	// parent that ends a child.
	signal.Ignore(os.Interrupt)

	c, im := find(groups, os.Getenv(envCase), os.Getenv(envImpl))
	if im == nil {
		fmt.Fprintf(w, "%s%q\n", failMark, "no such case or implementation")
		return 3
	}
	testing.Init()
	m := meter{bench: func(b *testing.B) { c.Run(b, im) }}
	m.ops, _ = strconv.Atoi(os.Getenv(envOps))
	if err := flag.Set("test.benchtime", m.benchTime(os.Getenv(envBenchTime))); err != nil {
		fmt.Fprintf(w, "%s%q\n", failMark, err.Error())
		return 3
	}
	r := testing.Benchmark(m.run)
	switch {
	case m.skipped:
		fmt.Fprintf(w, "%s%q\n", skipMark, m.log)
		return 0
	case m.failed, r.N == 0: // testing.Benchmark itself says nothing of a failure
		fmt.Fprintf(w, "%s%q\n", failMark, m.log)
		return 3
	}
	values := m.values(r)
	fmt.Fprintln(w, formatLine(lineName(c, im.Name, runtime.GOMAXPROCS(0)), r.N, values))
	return 0
}

func find(groups []compare.Group, key, impl string) (*compare.Case, *compare.Impl) {
	group, _, _ := strings.Cut(key, "/")
	cases, _ := flatten(slices.DeleteFunc(slices.Clone(groups), func(g compare.Group) bool { return g.Name != group }))
	for _, c := range cases {
		if c.Key() != key {
			continue
		}
		for i := range c.Impls {
			if c.Impls[i].Name == impl {
				return c, &c.Impls[i]
			}
		}
	}
	return nil, nil
}

// meter runs a benchmark function and keeps what testing.Benchmark hides: the CPU
// time of the last (longest) call and the message of a failure.
type meter struct {
	bench           func(*testing.B)
	ops             int // of the sample, or 0: as many as testing finds to fill the time
	cpu, wall       time.Duration
	failed, skipped bool
	log             string
}

func (m *meter) run(b *testing.B) {
	b.ReportAllocs()
	m.cutSearch(b)
	start, cpu := time.Now(), cpuTime()
	defer func() {
		// Runs after b.Fatal and b.Skip too, which end the goroutine.
		m.cpu, m.wall = cpuTime()-cpu, time.Since(start)
		if b.Failed() || b.Skipped() {
			m.failed, m.skipped = b.Failed(), b.Skipped() && !b.Failed()
			m.log = logOf(b)
		}
	}()
	m.bench(b)
}

// benchTime returns the time to search N for. Where N is known, half of the time
// keeps testing from trying again after a sample that went faster than usual.
func (m *meter) benchTime(asked string) string {
	if d, err := time.ParseDuration(asked); err == nil && m.ops > 1 {
		return (d / 2).String()
	}
	return asked
}

// cutSearch ends testing's search for N, once it has warmed up and come near,
// with the number that an earlier sample found. The search goes 1, 100, 10 000
// and often needs two calls of nearly the full length. (A benchtime like 1000x
// does without a search, but then RunParallel hands out its ops one by one,
// which costs more than many an op.)
func (m *meter) cutSearch(b *testing.B) {
	if m.ops > 1 && b.N > 1 && b.N >= m.ops/4 {
		b.N, m.ops = m.ops, 0
	}
}

// logOf returns what the benchmark logged. The testing package shows that only
// to a test binary's main, so the field is read by name; without it (another Go
// version) the failure is still reported, less well.
func logOf(b *testing.B) string {
	f := reflect.ValueOf(b).Elem().FieldByName("output")
	if f.IsValid() && f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8 {
		if s := strings.TrimSpace(string(f.Bytes())); s != "" {
			return s
		}
	}
	return "the benchmark failed without a message"
}

// values returns all figures of a result by unit. What the benchmark itself
// reported under a name wins.
func (m *meter) values(r testing.BenchmarkResult) map[string]float64 {
	n := float64(r.N)
	v := map[string]float64{
		result.NsPerOp: float64(r.T.Nanoseconds()) / n,
		// Rounded, so that what a set-up allocates once does not turn 0 into 0.000004,
		// but not cut to whole numbers as testing does: half an allocation is one.
		result.BytesPerOp:  math.Round(float64(r.MemBytes)/n*10) / 10,
		result.AllocsPerOp: math.Round(float64(r.MemAllocs)/n*10) / 10,
	}
	if m.cpu > 0 && m.wall > 0 {
		v[result.CPUPerOp] = float64(m.cpu.Nanoseconds()) / n
		v[result.Cores] = float64(m.cpu) / float64(m.wall)
	}
	if peak := peakMemory(); peak > 0 {
		v[result.PeakBytes] = float64(peak)
	}
	if r.Bytes > 0 && r.T > 0 {
		v["MB/s"] = float64(r.Bytes) * n / 1e6 / r.T.Seconds()
	}
	for unit, x := range r.Extra {
		v[unit] = x
	}
	return v
}

// lineName is the benchmark's name in the form that benchstat groups by.
func lineName(c *compare.Case, impl string, cpus int) string {
	g := strings.ToUpper(c.Group[:1]) + c.Group[1:]
	return "Benchmark" + g + "/" + c.Name + "/impl=" + impl + "-" + strconv.Itoa(cpus)
}
