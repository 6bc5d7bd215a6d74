package workerpoolbench

import (
	"fmt"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// users are the cases where many goroutines submit to a full pool at once and so
// wait for room: what a server under overload does. Implementations that never
// make a submitter wait have nothing to show here and are left out.
func users(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, n := range []int{100, 10_000} {
		var impls []compare.Impl
		for _, p := range peers {
			if p.Queue == Unbounded {
				continue
			}
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				blocked(b, p, 8, n)
			}})
		}
		c := newCase(fmt.Sprintf("users/users=%d", n),
			fmt.Sprintf("One op is an empty task, submitted by one of %d goroutines at once to 8 workers, and run.", n),
			impls, append([]string{nameAnts, nameChan}, wider(peers)...)...)
		c.BenchTime = "100000x"
		c.Quick = n == 100
		cases = append(cases, c)
	}
	return cases
}

func blocked(b *testing.B, p Peer, workers, n int) {
	pool, ran := p.New(workers), newTally()
	task := ran.task(nil)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			mine := share(b.N, n, i)
			ready.Done()
			<-start
			for range mine {
				if err := pool.Submit(task); err != nil {
					must(b, err)
					return
				}
			}
		})
	}
	ready.Wait()
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	done.Wait()
	ran.wait(b, b.N)
	b.StopTimer()
	pool.close()
	ran.check(b, b.N)
}
