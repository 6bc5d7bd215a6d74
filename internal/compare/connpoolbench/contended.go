package connpoolbench

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// hold is what a holder does with a connection.
type hold struct {
	name string
	do   func()
}

// A microsecond is spun by the clock, 100 are slept: a holder that computes for so
// long would measure the processor, one that waits for a server sleeps.
var holds = []hold{
	{"yield", runtime.Gosched},
	{"1us", func() {
		for begin := time.Now(); time.Since(begin) < time.Microsecond; {
		}
	}},
	{"100us", func() { time.Sleep(100 * time.Microsecond) }},
}

const (
	users = 64
	few   = 4
)

// contended are the cases in which 64 goroutines want 4 connections all the time.
func contended(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, h := range holds {
		cases = append(cases, compare.Case{
			Group: "connpool", Name: "contended/goroutines=64/conns=4/hold=" + h.name,
			Quick:     h.name == "1us",
			Doc:       "one op is one loan of 4 connections that 64 goroutines want; p50 to p99.9 of the wait for it; unfair is the most loans of a goroutine by the mean",
			Metrics:   []string{"ns/op", "p99-ns", "p50-ns", "p99/p50", "unfair"},
			Baselines: []string{nameChan, nameSQL, "puddle"},
			Impls:     impls(peers, func(b *testing.B, p Peer) { contend(b, p, h) }),
		})
	}
	return cases
}

func contend(b *testing.B, p Peer, h hold) {
	pool, t := start(b, p, few)
	defer pool.close()
	before := t.uses()
	var (
		wg                   sync.WaitGroup
		waits                stats.Histogram
		left, blind, trouble atomic.Int64
		loans                [users]int
		begin                = make(chan struct{})
		ctx                  = context.Background()
	)
	left.Store(int64(b.N))
	for g := range users {
		wg.Go(func() {
			var asked time.Time
			n, nils := 0, 0
			f := func(c *Conn) {
				// Of one loan in eight the wait is measured: the clock costs a part of
				// what an uncontended loan does.
				if n&7 == 0 {
					waits.Record(time.Since(asked))
				}
				if c == nil {
					nils++
					h.do()
					return
				}
				if !c.held.CompareAndSwap(false, true) {
					trouble.Add(1)
				}
				c.uses++
				h.do()
				c.held.Store(false)
			}
			<-begin
			for left.Add(-1) >= 0 {
				if n&7 == 0 {
					asked = time.Now()
				}
				if pool.Use(ctx, f) != nil {
					trouble.Add(1)
				}
				n++
			}
			loans[g] = n
			blind.Add(int64(nils))
		})
	}
	b.ResetTimer()
	close(begin)
	wg.Wait()
	b.StopTimer()
	if n := trouble.Load(); n > 0 {
		b.Fatalf("%d calls failed or shared a connection", n)
	}
	t.check(b, before+b.N, int(blind.Load()))
	most := 0
	for _, n := range loans {
		most = max(most, n)
	}
	compare.ReportLatency(b, &waits)
	if l := waits.Latency(); l.P50 > 0 {
		b.ReportMetric(float64(l.P99)/float64(l.P50), "p99/p50")
	}
	b.ReportMetric(float64(most*users)/float64(b.N), "unfair")
}

// cancelStorm is the case of callers that give up while connections come back.
func cancelStorm(peers []Peer) compare.Case {
	return compare.Case{
		Group: "connpool", Name: "cancel/goroutines=64/conns=4",
		Doc:       "one op is one call of 64 goroutines for 4 connections, of which three in four give up: their ctx is cancelled while they wait",
		Baselines: []string{nameChan, nameSQL, "puddle"},
		Impls: impls(peers, func(b *testing.B, p Peer) {
			pool, t := start(b, p, few)
			defer pool.close()
			before := t.uses()
			var wg sync.WaitGroup
			var left, served, blind, shared atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			for g := range users {
				wg.Go(func() {
					f := func(c *Conn) {
						served.Add(1)
						if c == nil {
							blind.Add(1)
						} else {
							if !c.held.CompareAndSwap(false, true) {
								shared.Add(1)
							}
							c.uses++
						}
						runtime.Gosched()
						if c != nil {
							c.held.Store(false)
						}
					}
					for left.Add(-1) >= 0 {
						ctx, cancel := context.WithCancel(context.Background())
						if g%4 != 0 {
							go cancel()
						}
						_ = pool.Use(ctx, f)
						cancel()
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			if shared.Load() > 0 {
				b.Fatalf("%d loans shared a connection", shared.Load())
			}
			t.check(b, before+int(served.Load()), int(blind.Load()))
			fill(b, pool, few) // none is lost
			b.ReportMetric(float64(served.Load())/float64(b.N), "served/op")
		}),
	}
}
