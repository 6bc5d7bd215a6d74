package lockfreebench

import (
	"runtime"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// bursts fill a queue with many values before any is taken.
func bursts(all []Peer) []compare.Case {
	const n = 100_000
	var impls []compare.Impl
	for _, p := range all {
		if p.New().Capacity != 0 {
			continue
		}
		impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				q := p.New()
				for i := range n {
					q.Put(i + 1)
				}
				for i := range n {
					if v := poll(q.TryGet); v != i+1 {
						b.Fatalf("got %d for %d", v, i+1)
					}
				}
			}
		}})
	}
	c := newCase("burst/values=100000", "100,000 values put into a new queue, then all got, by one goroutine.",
		impls, nameMutex, nameBook, "lscq")
	c.Metrics = []string{"ns/op", "B/op"}
	return []compare.Case{c}
}

// singles are the small things: an empty queue, an idle one, one that is watched.
func singles(all []Peer) []compare.Case {
	var empty, idle []compare.Impl
	for _, p := range all {
		empty = append(empty, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			q := p.New()
			for range b.N {
				if _, ok := q.TryGet(); ok {
					b.Fatal("got a value from nowhere")
				}
			}
		}})
		idle = append(idle, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) { size(b, p) }})
	}
	e := newCase("empty", "A try to get from an empty queue.", empty, nameChan, nameMutex, nameBook)
	i := newCase("idle", "The memory of a queue that has not been used.", idle, nameChan)
	i.Metrics = []string{"bytes/queue"}
	i.BenchTime = "1x"
	s := newCase("stats/pair/goroutines=2", "A value put and one got by each of 2 goroutines, while the statistics are read every 100 µs.",
		[]compare.Impl{
			{Name: nameQueue, Config: "Queue, Stats read 10,000 times a second", Bench: func(b *testing.B) { watched(b, queue) }},
			{Name: "unwatched", Config: "Queue, the reader only wakes up", Bench: func(b *testing.B) {
				p := queue
				p.New = func() Queue {
					q := queue.New()
					q.Stats = func() {}
					return q
				}
				watched(b, p)
			}},
		}, "unwatched")
	return []compare.Case{e, i, s}
}

func size(b *testing.B, p Peer) {
	qs := make([]Queue, 500)
	var before, after runtime.MemStats
	p.New() // what a package keeps once is not a queue's
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range b.N {
		for i := range qs {
			qs[i] = p.New()
		}
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(qs)), "bytes/queue")
	runtime.KeepAlive(qs)
}

func watched(b *testing.B, p Peer) {
	c := newCrew(b, p)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.q.Stats()
			}
		}
	}()
	b.ResetTimer()
	for i := range 2 {
		c.run(func() (in, out int) {
			put, tryGet := c.q.Put, c.q.TryGet
			for k := range share(b.N, 2, i) {
				put(k + 1)
				in += k + 1
				out += poll(tryGet)
			}
			return in, out
		})
	}
	c.wg.Wait()
	b.StopTimer()
	close(stop)
	<-done
	c.wait()
}
