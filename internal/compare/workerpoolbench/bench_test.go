package workerpoolbench

import "testing"

// BenchmarkCases runs the cases under go test, in one process and with its
// -benchtime: for profiles. The figures to compare are those of the command.
func BenchmarkCases(b *testing.B) {
	for _, c := range Cases() {
		for _, i := range c.Impls {
			b.Run(c.Name+"/impl="+i.Name, i.Bench)
		}
	}
}
