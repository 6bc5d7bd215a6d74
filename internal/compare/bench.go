package compare

import "testing"

// Bench runs the cases of the short run (Case.Quick) as sub-benchmarks of a package's
// own go test -bench, named case/impl=NAME as benchstat -col /impl reads them. All run
// in this process and one after the other, so a difference of some per cent is noise
// here: the command in bench alternates implementations and gives intervals.
//
// They run at this process's GOMAXPROCS (-cpu) and for -benchtime, whatever the case
// says.
func Bench(b *testing.B, cases []Case) {
	for _, c := range cases {
		if !c.Quick {
			continue
		}
		b.Run(c.Name, func(b *testing.B) {
			for _, im := range c.Impls {
				b.Run("impl="+im.Name, func(b *testing.B) { c.Run(b, &im) })
			}
		})
	}
}
