package connpoolbench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// The times of the case head of line: a connection comes back after releaseTime,
// a dial takes dialTime.
const (
	releaseTime = 5 * time.Millisecond
	dialTime    = 100 * time.Millisecond
)

// headOfLine is the case of a caller for whom a dial was begun, while a connection
// comes back earlier.
func headOfLine(peers []Peer) compare.Case {
	return compare.Case{
		Group: "connpool", Name: "headofline/dial=100ms/release=5ms", BenchTime: "1x",
		Doc:       "one op: of 2 connections one is on loan, the other must be dialed (100 ms); the one on loan comes back after 5 ms. The wait of the caller who dials decides",
		Metrics:   []string{"wait-ns"},
		Baselines: []string{nameSQL, "puddle"},
		Impls: impls(withoutChannel(peers), func(b *testing.B, p Peer) {
			var waits stats.Histogram
			for range b.N {
				var dials atomic.Int64
				pool, err := p.New(2, func() *Conn {
					if dials.Add(1) > 1 {
						time.Sleep(dialTime)
					}
					return new(Conn)
				})
				if err != nil {
					b.Fatal(err)
				}
				held, done := make(chan struct{}), make(chan error)
				go func() {
					done <- pool.Use(context.Background(), func(*Conn) {
						close(held)
						time.Sleep(releaseTime)
					})
				}()
				<-held
				begin := time.Now()
				err = pool.Use(context.Background(), func(*Conn) { waits.Record(time.Since(begin)) })
				if err != nil {
					b.Fatal(err)
				}
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				pool.close()
				b.StartTimer()
			}
			b.ReportMetric(float64(waits.Latency().P50), "wait-ns")
		}),
	}
}

// withoutChannel leaves out the channel, whose connections are opened beforehand.
func withoutChannel(peers []Peer) []Peer {
	var some []Peer
	for _, p := range peers {
		if p.Name != nameChan {
			some = append(some, p)
		}
	}
	return some
}

// options are what poundlock's own options cost.
func options() []compare.Case {
	all := []Peer{
		option("poundlock", "LeakAfter = 1 min, Tick = 1 s", func(c *connpool.Config[*Conn]) {
			c.LeakAfter, c.Tick = time.Minute, time.Second
		}),
		option("poundlock-off", "no limit of time", nil),
		option("poundlock-limits", "LeakAfter, IdleTimeout, MaxLifetime, Check after 1 s, MaxUses", func(c *connpool.Config[*Conn]) {
			c.LeakAfter, c.IdleTimeout, c.MaxLifetime, c.MaxUses = time.Minute, time.Minute, time.Hour, 1<<50
			c.Check = func(context.Context, *Conn) error { return nil }
		}),
		option("poundlock-lifo", "Order LIFO", func(c *connpool.Config[*Conn]) { c.Order = connpool.LIFO }),
		option("poundlock-stacks", "LeakStacks 1 in 100", func(c *connpool.Config[*Conn]) { c.LeakStacks = 100 }),
	}
	return []compare.Case{{
		Group: "connpool", Name: "options/uncontended", Quick: true,
		Doc:       "one op is one loan by the only goroutine, with leak detection on, and off",
		Metrics:   []string{"ns/op", "allocs/op"},
		Baselines: []string{"poundlock-off"},
		Impls: impls(all, func(b *testing.B, p Peer) {
			pool, t := start(b, p, 4)
			defer pool.close()
			before, ctx := t.uses(), context.Background()
			f := func(c *Conn) { c.uses++ }
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := pool.Use(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			t.check(b, before+b.N, 0)
		}),
	}}
}

func option(name, config string, change func(*connpool.Config[*Conn])) Peer {
	return Peer{Name: name, Config: config, New: func(n int, dial func() *Conn) (Pool, error) {
		return newPoundlock(n, dial, change)
	}}
}
