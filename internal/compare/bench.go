package compare

import "testing"

// Bench runs cases as sub-benchmarks of a package's own go test -bench, named
// case/impl=NAME as benchstat -col /impl reads them. All run in this process and one
// after the other, so a difference of some per cent is noise here: the command in
// bench alternates implementations and gives intervals.
//
// Cases that set CPUs run at this process's GOMAXPROCS (-cpu), and those with a
// fixed count of ops for -benchtime.
func Bench(b *testing.B, cases []Case) {
	for _, c := range cases {
		b.Run(c.Name, func(b *testing.B) {
			for _, im := range c.Impls {
				b.Run("impl="+im.Name, func(b *testing.B) {
					b.ReportAllocs()
					im.Bench(b)
				})
			}
		})
	}
}
