package runner

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/internal/compare"
)

// The test program plays all parts: a child when the runner starts it as one, the
// whole command when a test asks for it, and the tests.
const envMain = "POUNDLOCK_BENCH_TEST_MAIN"

func TestMain(m *testing.M) {
	if isChild() {
		os.Exit(child(groupsOf(childCases()), os.Stdout))
	}
	if os.Getenv(envMain) != "" {
		Main(fullTime, groupsOf(childCases())...)
	}
	goleak.VerifyTestMain(m)
}

// groupsOf makes groups of cases, in their order.
func groupsOf(cases []compare.Case) (groups []compare.Group) {
	for i, c := range cases {
		if i == 0 || c.Group != cases[i-1].Group {
			groups = append(groups, compare.Group{Name: c.Group, Cases: func() []compare.Case {
				return slices.DeleteFunc(slices.Clone(cases), func(o compare.Case) bool { return o.Group != c.Group })
			}})
		}
	}
	return groups
}

// all returns pointers to the cases.
func all(cases []compare.Case) (p []*compare.Case) {
	for i := range cases {
		p = append(p, &cases[i])
	}
	return p
}

// childCases do in a real process what implementations do, well and badly.
func childCases() []compare.Case {
	impl := func(name string, f func(*testing.B)) compare.Impl { return compare.Impl{Name: name, Bench: f} }
	return []compare.Case{{
		Group: "self", Name: "kinds/n=1", Doc: "One op is nothing much.",
		Impls: []compare.Impl{
			impl("good", spin),
			impl("drops", func(b *testing.B) { b.Fatal("only 2 of 3 tasks ran") }),
			impl("drops-late", func(b *testing.B) {
				if spin(b); b.N > 1 {
					b.Errorf("%d of %d tasks ran", b.N-1, b.N)
				}
			}),
			impl("panics", func(*testing.B) { panic("boom") }),
			impl("skips", func(b *testing.B) { b.Skip("not on this machine") }),
			impl("hangs", func(*testing.B) { <-time.After(time.Hour) }), // a timer, or Go calls it a deadlock
			impl("exits", func(*testing.B) { os.Exit(0) }),
			impl("noisy", func(b *testing.B) {
				fmt.Println("BenchmarkOther 1 2 ns/op")
				fmt.Print("no end of line")
				fmt.Println()
				spin(b)
			}),
			impl("races", func(b *testing.B) {
				done, n := make(chan bool), 0
				go func() { n++; close(done) }()
				n++
				<-done
				if n == 0 {
					b.Fatal("never")
				}
			}),
			impl("reports", func(b *testing.B) {
				spin(b)
				b.ReportMetric(123456, "p99-ns")
				b.ReportMetric(42, "peak-bytes")
			}),
			impl("allocates", func(b *testing.B) {
				for range b.N {
					sink = make([]byte, 64)
				}
			}),
		},
	}, {
		Group: "self", Name: "pair", Quick: true, Baselines: []string{"slow"}, BenchTime: "1x",
		Impls: []compare.Impl{
			impl("fast", func(b *testing.B) { time.Sleep(time.Millisecond) }),
			impl("slow", func(b *testing.B) { time.Sleep(5 * time.Millisecond) }),
		},
	}}
}

var sink []byte

func spin(b *testing.B) {
	for i := range b.N {
		if i < 0 {
			b.Fatal("never")
		}
	}
}
