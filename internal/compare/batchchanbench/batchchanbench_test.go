package batchchanbench

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run runs one benchmark function for n ops.
func run(t *testing.T, n string, f func(b *testing.B)) testing.BenchmarkResult {
	t.Helper()
	require.NoError(t, flag.Set("test.benchtime", n))
	return testing.Benchmark(f)
}

func TestEveryCaseRunsAndVerifies(t *testing.T) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			n := "257x"
			if c.BenchTime != "" {
				n = "20x"
			}
			if r := run(t, n, i.Bench); r.N == 0 {
				t.Errorf("%s %s failed", c.Name, i.Name)
			}
		}
	}
}

// An implementation that loses or doubles items must fail, not win.
func TestLossIsNoticed(t *testing.T) {
	honest := handWritten()
	for _, broken := range []func(process func([]int)) func([]int){
		func(process func([]int)) func([]int) { return func(items []int) { process(items[1:]) } },
		func(process func([]int)) func([]int) { return func(items []int) { process(items); process(items) } },
		func(process func([]int)) func([]int) {
			return func(items []int) { items[0]++; process(items) }
		},
	} {
		x := Peer{New: func(size int, linger time.Duration, process func([]int)) Batcher {
			return honest.New(size, linger, broken(process))
		}}
		require.Zero(t, run(t, "100x", func(b *testing.B) { send(b, x, 2, 10) }).N)
	}
	liar := Peer{NewCaller: func(func(reqs, res []int)) Caller { return Caller{Do: func(int) int { return 7 }} }}
	require.Zero(t, run(t, "100x", func(b *testing.B) { do(b, liar, 2) }).N)
}

// BenchmarkCases runs the cases under go test, in one process: for profiles. The
// figures to compare are those of go run -C bench ..
func BenchmarkCases(b *testing.B) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			b.Run(c.Name+"/impl="+i.Name, i.Bench)
		}
	}
}
