package workerpoolbench

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/compare"
)

// measure runs every implementation of every case for n ops and calls got with
// the results.
func measure(t *testing.T, n string, cases []compare.Case, got func(compare.Case, compare.Impl, testing.BenchmarkResult)) {
	t.Helper()
	benchtime := flag.Lookup("test.benchtime").Value
	defer func(old string) { benchtime.Set(old) }(benchtime.String())
	defer func(old time.Duration) { idleTime = old }(idleTime)
	require.NoError(t, benchtime.Set(n))
	idleTime = time.Millisecond
	for _, c := range cases {
		for _, i := range c.Impls {
			got(c, i, testing.Benchmark(i.Bench))
		}
	}
}

// theRunners are the units that the runner measures itself.
var theRunners = []string{"ns/op", "B/op", "peak-bytes"}

func TestEveryImplementationDoesEveryCase(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every case")
	}
	// Those that differ in numbers only are left to the runner.
	cases := slices.DeleteFunc(Cases(), func(c compare.Case) bool {
		return strings.Contains(c.Name, "us/workers=") && !strings.Contains(c.Name, "/workers=8/producers=2") ||
			strings.HasPrefix(c.Name, fmt.Sprintf("sleep/tasks=%d/", sleepTasks))
	})
	for i, c := range cases {
		if c.Name != "empty/workers=8/producers=2" && c.Name != "func/workers=8/producers=2" {
			// Releasing one takes 0.1 s.
			cases[i].Impls = slices.DeleteFunc(c.Impls, func(i compare.Impl) bool { return i.Name == "ants-multi" })
		}
	}
	measure(t, "30x", cases, func(c compare.Case, i compare.Impl, r testing.BenchmarkResult) {
		if r.N == 0 {
			t.Errorf("%s/%s: %s failed", c.Group, c.Name, i.Name)
		}
		for _, m := range c.Metrics {
			if _, ok := r.Extra[m]; !ok && !slices.Contains(theRunners, m) {
				t.Errorf("%s/%s: %s reports no %s", c.Group, c.Name, i.Name, m)
			}
		}
	})
}

// misbehaving returns a peer that hands every task to do.
func misbehaving(do func(i int, task func()) error) Peer {
	i := 0
	submit := func(task func()) error { i++; return do(i, task) }
	return Peer{
		Name: "misbehaving",
		New:  func(int) Pool { return Pool{Submit: submit} },
		NewFunc: func(_ int, fn func(int)) FuncPool {
			return FuncPool{Invoke: func(arg int) error { return submit(func() { fn(arg) }) }}
		},
	}
}

func TestMisbehavingPoolsFail(t *testing.T) {
	defer func(old time.Duration) { patience = old }(patience)
	patience = 10 * time.Millisecond
	for name, do := range map[string]func(int, func()) error{
		"loses a task":   func(i int, task func()) error { return run(task, i%7 != 0) },
		"runs one twice": func(i int, task func()) error { return errors.Join(run(task, true), run(task, i%7 == 0)) },
		"refuses a task": func(i int, task func()) error {
			if i%7 == 0 {
				return errors.New("full")
			}
			return run(task, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			peer := misbehaving(do)
			var cases []compare.Case
			for _, c := range Cases(peer) {
				c.Impls = only(c.Impls, peer.Name)
				// Two producers would race on the peer's counter, and doze.
				if !strings.Contains(c.Name, "producers=2") && !strings.Contains(c.Name, "parallel") && !strings.Contains(c.Name, "users") {
					cases = append(cases, c)
				}
			}
			require.NotEmpty(t, cases)
			measure(t, "20x", cases, func(c compare.Case, _ compare.Impl, r testing.BenchmarkResult) {
				if r.N != 0 {
					t.Errorf("%s/%s accepts a pool that %s", c.Group, c.Name, name)
				}
			})
		})
	}
}

func run(task func(), really bool) error {
	if really {
		task()
	}
	return nil
}

func only(impls []compare.Impl, name string) []compare.Impl {
	var keep []compare.Impl
	for _, i := range impls {
		if i.Name == name {
			keep = append(keep, i)
		}
	}
	return keep
}

func TestCaseNamesAreUniqueAndComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		require.False(t, seen[c.Name], "%s is there twice", c.Name)
		seen[c.Name] = true
		require.NotEmpty(t, c.Doc, c.Name)
		require.NotEmpty(t, c.Baselines, c.Name)
		require.NotEmpty(t, c.Impls, c.Name)
	}
	for _, name := range []string{
		"empty/workers=8/producers=2", "1us/workers=8/producers=1", "10us/workers=256/producers=2",
		"latency/rate=10000", "latency/rate=50000", "latency/rate=200000", "burst/tasks=100",
		"users/users=100", "users/users=10000", "sleep/tasks=1000000/workers=50000",
	} {
		require.True(t, seen[name], "no case %s", name)
	}
}

func TestSharesAddUp(t *testing.T) {
	for n := range 50 {
		for parts := 1; parts < 9; parts++ {
			sum := 0
			for i := range parts {
				sum += share(n, parts, i)
			}
			require.Equal(t, n, sum)
		}
	}
}

func TestShardsKeepTheNumberOfWorkers(t *testing.T) {
	for workers := 1; workers < 300; workers++ {
		require.Zero(t, workers%antsShards(workers))
	}
	require.Equal(t, 10, antsShards(sleepWorkers), "as in ants' own benchmarks")
}

// A hundred microseconds of work take ten times as long as ten, measured in turns, as the
// machine's speed changes.
func TestWorkGoesWithItsTime(t *testing.T) {
	little, much := spinFor(10*time.Microsecond), spinFor(100*time.Microsecond)
	least, most := time.Hour, time.Hour
	for range 200 {
		least, most = min(least, took(little)), min(most, took(much))
	}
	require.InEpsilon(t, 10, float64(most)/float64(least), 0.5)
}

func took(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}
