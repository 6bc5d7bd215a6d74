package objpoolbench

import (
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/compare"
)

// BenchmarkCases runs the cases under go test, in one process and with its
// -benchtime: for profiles. The figures to compare are those of the command.
func BenchmarkCases(b *testing.B) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			b.Run(c.Name+"/impl="+i.Name, i.Bench)
		}
	}
}

// measure runs every implementation of the cases for n ops.
func measure(t *testing.T, n string, cases []compare.Case, got func(compare.Case, compare.Impl, testing.BenchmarkResult)) {
	t.Helper()
	benchtime := flag.Lookup("test.benchtime").Value
	defer func(old string) { benchtime.Set(old) }(benchtime.String())
	require.NoError(t, benchtime.Set(n))
	for _, c := range cases {
		for _, i := range c.Impls {
			got(c, i, testing.Benchmark(i.Bench))
		}
	}
}

func TestEveryImplementationDoesEveryCase(t *testing.T) {
	measure(t, "30x", Cases(), func(c compare.Case, i compare.Impl, r testing.BenchmarkResult) {
		if r.N == 0 {
			t.Errorf("%s: %s failed", c.Name, i.Name)
		}
		for _, m := range c.Metrics {
			if _, ok := r.Extra[m]; !ok && !strings.HasSuffix(m, "/op") {
				t.Errorf("%s: %s reports no %s", c.Name, i.Name, m)
			}
		}
	})
}

func TestMisbehavingPoolsFail(t *testing.T) {
	for name, p := range map[string]func(mk func() *Object) Pool{
		"does nothing": func(func() *Object) Pool {
			return Pool{
				Pairs: func(int) {}, Bursts: func(int) {},
				Get: func() *Object { return new(Object) }, Put: func(*Object) {},
			}
		},
		"hands out objects of its own": func(func() *Object) Pool {
			o := new(Object)
			return Pool{
				Pairs: func(n int) { new(Object).Uses += n }, Bursts: func(n int) { new(Object).Uses += n },
				Get: func() *Object { return o }, Put: func(*Object) {},
			}
		},
	} {
		var cases []compare.Case
		for _, c := range Cases(Peer{Name: "bad", New: p}) {
			for _, i := range c.Impls {
				if i.Name == "bad" {
					c.Impls = []compare.Impl{i}
					cases = append(cases, c)
					break
				}
			}
		}
		require.Len(t, cases, len(shapes)+1)
		measure(t, "20x", cases, func(c compare.Case, _ compare.Impl, r testing.BenchmarkResult) {
			if r.N != 0 {
				t.Errorf("%s accepts a pool that %s", c.Name, name)
			}
		})
	}
	bad := Peer{Name: "bad", NewBuffers: func() BufferPool {
		short := func(n int, line []byte) int { return n * (len(line) - 1) }
		return BufferPool{Pairs: short, Bursts: short}
	}}
	for _, c := range Cases(bad) {
		for _, i := range c.Impls {
			if i.Name == "bad" {
				c.Impls = []compare.Impl{i}
				measure(t, "20x", []compare.Case{c}, func(c compare.Case, _ compare.Impl, r testing.BenchmarkResult) {
					require.Zero(t, r.N, c.Name)
				})
			}
		}
	}
}

func TestCaseNamesAreUniqueAndComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		require.Equal(t, "poundlock", c.Impls[0].Name)
		require.NotEmpty(t, c.Doc)
		require.NotEmpty(t, c.Baselines)
	}
	for _, name := range []string{"pair/goroutines=1", "pair/parallel", "pair/goroutines=64", "burst/objects=16", "gc/objects=256/size=16384", "handoff/queue=128", "span/attributes=10"} {
		require.True(t, seen[name], name)
	}
}

func TestSplitSharesAll(t *testing.T) {
	for n := range 70 {
		for parts := 1; parts < 9; parts++ {
			sums := make(chan int, parts)
			split(n, parts, func(n int) { sums <- n })
			sum := 0
			for range parts {
				sum += <-sums
			}
			require.Equal(t, n, sum)
		}
	}
}
