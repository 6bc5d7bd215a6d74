package batchchanbench

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// calls are the cases of many callers that share the calls of a backend, which
// answers at once.
func calls(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, callers := range []int{1, 64, 512} {
		var impls []compare.Impl
		for _, x := range append([]Peer{poundlock(), handWritten()}, peers...) {
			if x.NewCaller != nil {
				impls = append(impls, compare.Impl{Name: x.Name, Config: x.Config, Bench: func(b *testing.B) { do(b, x, callers) }})
			}
		}
		c := newCase(fmt.Sprintf("do/callers=%d", callers),
			fmt.Sprintf("One op is a call of one of %d callers, which waits for its own answer.", callers),
			impls, append([]string{nameSelect}, peerNames(peers, answers)...)...)
		c.Quick = callers == 64
		cases = append(cases, c)
	}
	return cases
}

// merges are the cases of callers with equal requests, 20 for each different one at
// a time. The backend takes about 1 µs for each request that reaches it.
func merges(peers []Peer) []compare.Case {
	var impls []compare.Impl
	for _, x := range append([]Peer{poundlock()}, peers...) {
		if x.NewMerger != nil {
			impls = append(impls, compare.Impl{Name: x.Name, Config: x.Config, Bench: func(b *testing.B) { merge(b, x) }})
		}
	}
	plain := poundlock()
	plain.NewMerger = plain.NewCaller
	impls = append(impls, compare.Impl{Name: "unmerged", Config: "Caller, every request by itself", Bench: func(b *testing.B) { merge(b, plain) }})
	return []compare.Case{newCase("merged/callers=64",
		"One op is a call of one of 64 callers; 20 callers at a time have the same request, and each different one that reaches the backend costs it about 1 µs.",
		impls, append([]string{"unmerged"}, peerNames(peers, func(p Peer) bool { return p.NewMerger != nil })...)...)}
}

func merge(b *testing.B, x Peer) {
	var seen, sink atomic.Int64
	k := x.NewMerger(func(reqs, res []int) {
		seen.Add(int64(len(reqs)))
		n := 0
		for i, r := range reqs {
			for j := range 2000 {
				n += j ^ n
			}
			res[i] = 2 * r
		}
		sink.Add(int64(n))
	})
	var next, wrong atomic.Int64
	produce(64, b.N, func(from, to int) {
		for range max(to-from+1, 0) {
			if v := int(next.Add(1)) / 20; k.Do(v) != 2*v {
				wrong.Add(1)
			}
		}
	})
	b.StopTimer()
	if k.Close != nil {
		k.Close()
	}
	if wrong.Load() != 0 || next.Load() != int64(b.N) {
		b.Fatalf("%d of %d calls were made, %d answered wrongly", next.Load(), b.N, wrong.Load())
	}
	b.ReportMetric(float64(seen.Load())/float64(b.N), "backend/op")
}

func do(b *testing.B, x Peer, callers int) {
	k := x.NewCaller(func(reqs, res []int) {
		for i, r := range reqs {
			res[i] = 2 * r
		}
	})
	var wrong, done atomic.Int64
	call := func(from, to int) {
		for v := from; v <= to; v++ {
			if k.Do(v) != 2*v {
				wrong.Add(1)
			}
		}
		done.Add(int64(max(to-from+1, 0)))
	}
	produce(callers, 4*callers, call) // everybody's free lists and workers are there
	done.Store(0)
	b.ReportAllocs()
	// The callers' goroutines are made before the timed part: so short a sample
	// would show their allocations.
	start, ended := make(chan struct{}), make(chan struct{})
	for i := range callers {
		from, to := b.N*i/callers+1, b.N*(i+1)/callers
		go func() {
			<-start
			call(from, to)
			ended <- struct{}{}
		}()
	}
	b.ResetTimer()
	close(start)
	for range callers {
		<-ended
	}
	b.StopTimer()
	if k.Close != nil {
		k.Close()
	}
	if wrong.Load() != 0 || done.Load() != int64(b.N) {
		b.Fatalf("%d of %d calls were answered, %d wrongly", done.Load(), b.N, wrong.Load())
	}
}
