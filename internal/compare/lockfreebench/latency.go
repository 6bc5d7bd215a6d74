package lockfreebench

import (
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// latencies are those of an operation pair under contention: what a queue that is
// fast on average may hide.
func latencies(all []Peer) []compare.Case {
	var impls []compare.Impl
	for _, p := range all {
		impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) { pairLatency(b, p, 2) }})
	}
	c := newCase("latency/pair/goroutines=2",
		"From the call that puts a value to the return of the one that gets one, in each of 2 goroutines.",
		impls, nameChan, nameMutex, nameBook, "lscq", "xsync-mpmc")
	c.Metrics = []string{"p999-ns", "p99-ns", "p50-ns"}
	c.Quick = true
	return []compare.Case{c}
}

// pairLatency measures every pair: a clock read costs about as much as a pair, and
// spreads the goroutines' accesses a little, for all implementations alike.
func pairLatency(b *testing.B, p Peer, g int) {
	c := newCrew(b, p)
	hs := make([]stats.Histogram, g)
	b.ResetTimer()
	for i := range g {
		c.run(func() (in, out int) {
			h, put, tryGet := &hs[i], c.q.Put, c.q.TryGet
			start := time.Now()
			last := time.Duration(0)
			for k := range share(b.N, g, i) {
				put(k + 1)
				in += k + 1
				out += poll(tryGet)
				now := time.Since(start)
				h.Record(now - last)
				last = now
			}
			return in, out
		})
	}
	c.wait()
	sum := new(stats.Snapshot)
	for i := range hs {
		hs[i].AddTo(sum)
	}
	l := sum.Latency()
	b.ReportMetric(float64(l.P50), "p50-ns")
	b.ReportMetric(float64(l.P99), "p99-ns")
	b.ReportMetric(float64(l.P999), "p999-ns")
}
