package connpoolbench

import (
	"context"
	"flag"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/compare"
)

// run runs an implementation for the given number of ops.
func run(t *testing.T, n string, i compare.Impl) testing.BenchmarkResult {
	t.Helper()
	benchtime := flag.Lookup("test.benchtime").Value
	defer func(old string) { _ = benchtime.Set(old) }(benchtime.String())
	require.NoError(t, benchtime.Set(n))
	return testing.Benchmark(i.Bench)
}

func TestEveryImplementationDoesEveryCase(t *testing.T) {
	for _, c := range Cases() {
		n := "300x"
		if c.BenchTime != "" {
			n = c.BenchTime
		}
		for _, i := range c.Impls {
			r := run(t, n, i)
			require.NotZero(t, r.N, "%s: %s failed", c.Name, i.Name)
			for _, m := range c.Metrics {
				if !slices.Contains([]string{"ns/op", "allocs/op"}, m) {
					require.Contains(t, r.Extra, m, "%s: %s", c.Name, i.Name)
				}
			}
		}
	}
}

// A pool that lends what another holds, or opens too many, must fail.
func TestMisbehavingPoolsFail(t *testing.T) {
	if raceEnabled {
		t.Skip("the misbehaviour under test is a data race")
	}
	one := Peer{Name: "one", New: func(_ int, dial func() *Conn) (Pool, error) {
		c := dial()
		return Pool{Use: func(_ context.Context, f func(*Conn)) error { f(c); return nil }}, nil
	}}
	many := Peer{Name: "many", New: func(_ int, dial func() *Conn) (Pool, error) {
		return Pool{Use: func(_ context.Context, f func(*Conn)) error { f(dial()); return nil }}, nil
	}}
	for _, peer := range []Peer{one, many} {
		failed := 0
		for _, c := range contended([]Peer{peer}) {
			if r := run(t, "3000x", c.Impls[0]); r.N == 0 {
				failed++
			}
		}
		require.NotZero(t, failed, peer.Name)
	}
}

func BenchmarkCases(b *testing.B) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			b.Run(c.Name+"/impl="+i.Name, i.Bench)
		}
	}
}
