// Package compare holds the comparisons with the standard library and with other
// libraries: what is the same work, and one piece of code per implementation. The
// command in bench measures them in processes of their own, and Bench in a package's
// go test -bench.
package compare

import "testing"

// Case is one comparison: several implementations of the same work, measured
// interleaved. A case is addressed as Group/Name.
type Case struct {
	Group string // the package compared: "workerpool"
	Name  string // "empty/workers=8/producers=2": slash-separated, key=value dimensions
	Doc   string // one sentence that begins "One op is": what is measured, for the report

	// CPUs lists the GOMAXPROCS values that the case is run with; nil means the
	// machine's default only. -cpu overrides it.
	CPUs []int

	// Metric is what implementations are compared by; smaller is better. Empty
	// means "ns/op"; else it is a unit passed to b.ReportMetric ("p50-ns",
	// "peak-bytes") or one that the runner measures ("cpu-ns/op", "B/op",
	// "allocs/op"). More are reported and compared beside the first.
	Metrics []string

	// BenchTime overrides -benchtime for cases whose single op is long: a
	// duration ("300ms") or a count ("1x"). Empty means the command line's.
	BenchTime string

	// Quick says that the case belongs to the short run (-quick).
	Quick bool

	// Crowd says that more goroutines are alive at once than the race detector can
	// follow (8128): under it the case is skipped.
	Crowd bool

	// Baselines names the implementations that the first one (poundlock's) is
	// held against. Others are still measured and printed.
	Baselines []string

	Impls []Impl
}

// Key returns the name that the case is addressed by: "group/name".
func (c *Case) Key() string { return c.Group + "/" + c.Name }

// Run runs one of the case's implementations as the benchmark b.
func (c *Case) Run(b *testing.B, im *Impl) {
	b.ReportAllocs()
	if c.Crowd && RaceEnabled {
		b.Skip("more goroutines than the race detector can follow")
	}
	im.Bench(b)
}

// Group is the cases of one package. Cases makes them; a process that measures
// makes those of its own group alone, as making cases may cost time and memory.
type Group struct {
	Name  string // the Group of each of its cases
	Cases func() []Case
}

// Impl is one way to do a case's work, in its best documented configuration.
type Impl struct {
	Name   string // "poundlock", "ants", "chan"
	Config string // the configuration in a few words, for the report

	// Own says that this is no alternative to the case's first implementation: it
	// is poundlock's code in another form, or the work without what the case is
	// about, and shows what something costs. The reports give it a shade of its
	// own and do not count it. Names that begin with "poundlock", and those that
	// result.OwnName lists, need not set it.
	Own bool

	// Bench runs b.N ops and verifies that they were done: an implementation
	// that drops work calls b.Fatal. It runs in a process of its own.
	Bench func(b *testing.B)
}
