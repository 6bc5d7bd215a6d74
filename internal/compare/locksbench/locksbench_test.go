package locksbench

import (
	"flag"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryImplementationDoesEveryCase(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every case")
	}
	benchtime := flag.Lookup("test.benchtime").Value
	defer func(old string) { benchtime.Set(old) }(benchtime.String())
	require.NoError(t, benchtime.Set("20x"))
	for _, c := range Cases() {
		for _, i := range c.Impls {
			r := testing.Benchmark(i.Bench)
			require.NotZerof(t, r.N, "%s: %s failed", c.Name, i.Name)
			for _, m := range c.Metrics {
				require.Containsf(t, r.Extra, m, "%s: %s", c.Name, i.Name)
			}
		}
	}
}

// TestALockThatDoesNotLockFails: the cases must notice.
func TestALockThatDoesNotLockFails(t *testing.T) {
	r := testing.Benchmark(func(b *testing.B) {
		m := &Mix{PerMille: 1000}
		s := new(padded[sync.Mutex])
		m.Run(b, func(pb *testing.PB, op *Op) {
			for pb.Next() {
				if op.Write() && op.done%100 == 0 {
					op.wrote++ // a write that is lost
					continue
				}
				s.lock.Lock()
				op.Wrote(&s.data)
				s.lock.Unlock()
			}
		})
		m.Check(b, s.data)
	})
	require.Zero(t, r.N)
}
