package lockfreebench

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func results(t *testing.T, n string, bench func(b *testing.B)) testing.BenchmarkResult {
	benchtime := flag.Lookup("test.benchtime").Value
	defer func(old string) { benchtime.Set(old) }(benchtime.String())
	require.NoError(t, benchtime.Set(n))
	return testing.Benchmark(bench)
}

func TestEveryImplementationDoesEveryCase(t *testing.T) {
	for _, c := range Cases() {
		require.NotEmpty(t, c.Baselines, c.Name)
		n := "300x"
		if c.Name == "burst/values=100000" {
			n = "1x"
		}
		for _, i := range c.Impls {
			r := results(t, n, i.Bench)
			if r.N == 0 {
				t.Errorf("%s: %s failed", c.Name, i.Name)
			}
			for _, m := range c.Metrics {
				if _, ok := r.Extra[m]; !ok && m != "ns/op" && m != "B/op" {
					t.Errorf("%s: %s reports no %s", c.Name, i.Name, m)
				}
			}
		}
	}
}

// An implementation that drops, repeats or changes values must fail.
func TestDroppedWorkIsSeen(t *testing.T) {
	broken := func(spoil func(n int, q *Queue)) Peer {
		return Peer{Name: "broken", New: func() Queue {
			q := queue.New()
			put, n := q.Put, 0
			q.Put = func(v int) {
				if n++; n > capacity {
					spoil(v, &q)
					return
				}
				put(v)
			}
			return q
		}}
	}
	changed := broken(func(v int, q *Queue) { q.PutBatch([]int{v + 1}) })
	twice := broken(func(v int, q *Queue) { q.PutBatch([]int{v, v}) })
	for name, bench := range map[string]func(b *testing.B){
		"changed": func(b *testing.B) { pair(b, changed, 1) },
		"twice":   func(b *testing.B) { pair(b, twice, 1) },
	} {
		require.Zero(t, results(t, "10x", bench).N, name)
	}
}

// BenchmarkCases runs the cases under go test, in one process: for profiles. The
// figures to compare are those of the command.
func BenchmarkCases(b *testing.B) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			b.Run(c.Name+"/impl="+i.Name, i.Bench)
		}
	}
}
