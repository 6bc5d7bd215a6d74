package observebench

import "testing"

// BenchmarkCases runs the cases under go test, for profiles. The figures to compare are
// those of the command.
func BenchmarkCases(b *testing.B) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			b.Run(c.Name+"/impl="+i.Name, i.Bench)
		}
	}
}

func TestEveryImplementationDoesEveryCase(t *testing.T) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			if r := testing.Benchmark(i.Bench); r.N == 0 {
				t.Errorf("%s: %s failed", c.Name, i.Name)
			}
		}
	}
}
