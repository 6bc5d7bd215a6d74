package connpoolbench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// free are the cases in which a connection is always idle.
func free(peers []Peer) []compare.Case {
	cases := []compare.Case{{
		Group: "connpool", Name: "uncontended", Quick: true,
		Doc:       "one op is one loan by the only goroutine",
		Metrics:   []string{"ns/op", "allocs/op"},
		Baselines: []string{nameChan, nameSQL, "puddle"},
		Impls: impls(peers, func(b *testing.B, p Peer) {
			pool, t := start(b, p, 4)
			defer pool.close()
			before, blind, ctx := t.uses(), 0, context.Background()
			f := func(c *Conn) {
				if c == nil {
					blind++
					return
				}
				c.uses++
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := pool.Use(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			t.check(b, before+b.N, blind)
		}),
	}}
	for _, g := range []int{0, 64} {
		name := fmt.Sprintf("parallel/goroutines=%d/conns=64", g)
		if g == 0 {
			name = "parallel/goroutines=cpus/conns=64"
		}
		cases = append(cases, compare.Case{
			Group: "connpool", Name: name, Quick: g == 0,
			Doc:       "one op is one loan; there are as many connections as goroutines or more",
			Baselines: []string{nameChan, nameSQL, "puddle"},
			Impls: impls(peers, func(b *testing.B, p Peer) {
				n := g
				if n == 0 {
					n = runtime.GOMAXPROCS(0)
				}
				pool, t := start(b, p, 64)
				defer pool.close()
				before := t.uses()
				b.ResetTimer()
				blind := share(b, n, pool, func(c *Conn) {
					if c != nil {
						c.uses++
					}
				})
				b.StopTimer()
				t.check(b, before+b.N, blind)
			}),
		})
	}
	return cases
}

// share has n goroutines make b.N loans in all, in equal parts, and returns how
// many of them passed no connection.
func share(b *testing.B, n int, pool Pool, f func(*Conn)) (blind int) {
	ctx := context.Background()
	var wg sync.WaitGroup
	var unseen, failed atomic.Int64
	for g := range n {
		part := b.N / n
		if g < b.N%n {
			part++
		}
		wg.Go(func() {
			nils := 0
			count := func(c *Conn) {
				if c == nil {
					nils++
				}
				f(c)
			}
			for range part {
				if pool.Use(ctx, count) != nil {
					failed.Add(1)
				}
			}
			unseen.Add(int64(nils))
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d calls failed", n)
	}
	return int(unseen.Load())
}
