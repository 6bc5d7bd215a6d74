package objpoolbench

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// shapes are the columns of every comparison: how many goroutines use a pool at once,
// and how many objects each holds.
var shapes = []struct {
	name, doc  string
	goroutines int // 0 means one per P
	burst      bool
}{
	{"pair/goroutines=1", "One op is a Get and a Put by one goroutine.", 1, false},
	{"pair/parallel", "One op is a Get and a Put by one goroutine per P.", 0, false},
	{"pair/goroutines=64", "One op is a Get and a Put by one of 64 goroutines.", 64, false},
	{"burst/objects=16", "One op is 16 Gets and then 16 Puts by one goroutine per P.", 0, true},
}

func pairs(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, s := range shapes {
		var impls []compare.Impl
		for _, p := range peers {
			if p.New == nil {
				continue
			}
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				var m maker
				pool := p.New(m.make)
				run, uses := pool.Pairs, warmOps+b.N
				if s.burst {
					run, uses = pool.Bursts, uses*BurstSize
				}
				split(warmOps, goroutinesOr(s.goroutines), run)
				b.ReportAllocs()
				b.ResetTimer()
				split(b.N, goroutinesOr(s.goroutines), run)
				b.StopTimer()
				m.check(b, uses)
			}})
		}
		c := newCase(s.name, s.doc, impls)
		c.Quick = true
		cases = append(cases, c)
	}
	return cases
}

func goroutinesOr(n int) int {
	if n == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return n
}

// warmOps are run before the timed part, so that short samples do not show how a
// pool fills and adapts.
const warmOps = 10_000

// handoffs are the cases where objects come back on another goroutine than the one
// that took them. The two mostly take turns, the whole queue at a time, on one P: its
// magazine of 16 is filled and drained through the central stack, a whole magazine per
// visit.
func handoffs(peers []Peer) []compare.Case {
	const queue = 128
	var impls []compare.Impl
	for _, p := range peers {
		if p.New == nil {
			continue
		}
		impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			var m maker
			pool := p.New(m.make)
			way, done := make(chan *Object, queue), make(chan struct{})
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				defer close(done)
				for o := range way {
					o.Uses++
					pool.Put(o)
				}
			}()
			for range b.N {
				way <- pool.Get()
			}
			close(way)
			<-done
			b.StopTimer()
			m.check(b, b.N)
		}})
	}
	return []compare.Case{newCase(fmt.Sprintf("handoff/queue=%d", queue),
		"One op is a Get, a way through a channel, and a Put on the goroutine at its other end.", impls)}
}

func buffers(peers []Peer) []compare.Case {
	line := make([]byte, 120)
	var cases []compare.Case
	for _, s := range shapes {
		var impls []compare.Impl
		for _, p := range peers {
			if p.NewBuffers == nil {
				continue
			}
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				pool := p.NewBuffers()
				run, want := pool.Pairs, b.N*len(line)
				if s.burst {
					run, want = pool.Bursts, want*BurstSize
				}
				sums := make(chan int, goroutinesOr(s.goroutines))
				split(warmOps, cap(sums), func(n int) { run(n, line) })
				b.ReportAllocs()
				b.ResetTimer()
				split(b.N, cap(sums), func(n int) { sums <- run(n, line) })
				b.StopTimer()
				close(sums)
				got := 0
				for n := range sums {
					got += n
				}
				if got != want {
					b.Fatalf("buffers held %d bytes, %d were written", got, want)
				}
			}})
		}
		c := newCase("buffers/"+s.name, s.doc+" Each writes 120 bytes to a buffer.", impls)
		c.Quick = !s.burst && s.goroutines == 1
		cases = append(cases, c)
	}
	return cases
}
