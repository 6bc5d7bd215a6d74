package batchchanbench

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// lone are the cases of one item that comes alone to a batcher at rest: how long
// after it is the function called? Linger after it would be right.
func lone(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, linger := range []time.Duration{100 * time.Microsecond, 5 * time.Millisecond} {
		own := poundlock()
		if linger < time.Millisecond {
			own.Config += ", PreciseLinger"
		}
		var impls []compare.Impl
		for _, x := range append([]Peer{own, handWritten()}, peers...) {
			if x.New != nil {
				impls = append(impls, compare.Impl{Name: x.Name, Config: x.Config, Bench: func(b *testing.B) { loneItem(b, x, linger) }})
			}
		}
		c := newCase(fmt.Sprintf("lone/linger=%v", linger),
			"One op is an item that comes alone; the time until it is processed, linger included.",
			impls, append([]string{nameSelect}, peerNames(peers, batches)...)...)
		c.Metrics = []string{"p50-ns", "p99-ns"}
		c.BenchTime = "40x"
		c.Quick = linger < time.Millisecond
		cases = append(cases, c)
	}
	return cases
}

func loneItem(b *testing.B, x Peer, linger time.Duration) {
	came := make(chan int, 1)
	q := x.New(100, linger, func(items []int) {
		for _, v := range items {
			came <- v
		}
	})
	var took stats.Histogram
	b.ResetTimer()
	for i := range b.N {
		// At odd times, for those who tick.
		time.Sleep(time.Duration(i*7%11) * 300 * time.Microsecond)
		start := time.Now()
		q.Send(i)
		if v := <-came; v != i {
			b.Fatalf("item %d came as %d", i, v)
		}
		took.Record(time.Since(start))
	}
	b.StopTimer()
	q.Close()
	compare.ReportLatency(b, &took)
}

// latencies are the cases of the time from an item's scheduled arrival to its
// processing. The load is open-loop: item i arrives at start + i/rate, and its
// latency counts from then on, whenever the pacer came to send it.
func latencies(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, rate := range []int{20_000, 500_000} {
		const linger = time.Millisecond
		var impls []compare.Impl
		for _, x := range append([]Peer{poundlock(), handWritten()}, peers...) {
			if x.New != nil {
				impls = append(impls, compare.Impl{Name: x.Name, Config: x.Config, Bench: func(b *testing.B) { endToEnd(b, x, rate, linger) }})
			}
		}
		c := newCase(fmt.Sprintf("latency/rate=%d", rate),
			fmt.Sprintf("From an item's scheduled arrival to its processing; %d arrive per second, batches of 100 or %v.", rate, linger),
			impls, append([]string{nameSelect}, peerNames(peers, batches)...)...)
		c.Metrics = []string{"p50-ns", "p99-ns", "p999-ns"}
		c.BenchTime = fmt.Sprintf("%dx", rate*3/10)
		cases = append(cases, c)
	}
	return cases
}

func endToEnd(b *testing.B, x Peer, rate int, linger time.Duration) {
	every := time.Second / time.Duration(rate)
	var late, pacer stats.Histogram
	var start time.Time
	var got tally
	q := x.New(100, linger, func(items []int) {
		now := time.Since(start) // one reading per batch: all of it comes now
		for _, v := range items {
			late.Record(now - time.Duration(v-1)*every)
		}
		got.process(items)
	})
	alone := runtime.GOMAXPROCS(0) == 1
	runtime.GC()
	b.ResetTimer()
	start = time.Now()
	for i := range b.N {
		due := time.Duration(i) * every
		now := time.Since(start)
		for ; now < due; now = time.Since(start) {
			if alone {
				runtime.Gosched()
			}
		}
		pacer.Record(now - due)
		q.Send(i + 1)
	}
	q.Close()
	b.StopTimer()
	got.check(b, b.N)
	compare.ReportLatency(b, &late)
	b.ReportMetric(float64(pacer.Latency().P99), "pacer-p99-ns")
}

// slowConsumers are the cases of a consumer that is the bottleneck: producers
// wait most of the time.
func slowConsumers(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, p := range []int{1, 64} {
		const size = 100
		var impls []compare.Impl
		for _, x := range append([]Peer{poundlock(), handWritten()}, peers...) {
			if x.New == nil {
				continue
			}
			impls = append(impls, compare.Impl{Name: x.Name, Config: x.Config, Bench: func(b *testing.B) {
				var got tally
				q := x.New(size, linger, func(items []int) {
					for start := time.Now(); time.Since(start) < 200*time.Nanosecond*time.Duration(len(items)); {
						continue
					}
					got.process(items)
				})
				b.ResetTimer()
				produce(p, b.N, func(from, to int) {
					for v := from; v <= to; v++ {
						q.Send(v)
					}
				})
				q.Close()
				b.StopTimer()
				got.check(b, b.N)
			}})
		}
		c := newCase(fmt.Sprintf("slow/producers=%d/batch=%d", p, size),
			"One op is an item that takes 200 ns to process: the producers wait for room.",
			impls, append([]string{nameSelect}, peerNames(peers, batches)...)...)
		c.Metrics = []string{"ns/op", "cpu-ns/op"}
		cases = append(cases, c)
	}
	return cases
}
