package workerpoolbench

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// burstGap is how long the pool has had nothing to do when a burst comes: long
// enough for workers that look out for work to have gone to sleep.
const burstGap = 200 * time.Microsecond

// bursts are the cases where a hundred tasks come at once to a pool at rest.
func bursts(peers []Peer) []compare.Case {
	const tasks = 100
	var cases []compare.Case
	for _, work := range []struct {
		name, doc string
		d         time.Duration
	}{
		{"", "empty tasks", 0},
		{"/work=1us", "tasks of 1 µs", time.Microsecond},
	} {
		var impls []compare.Impl
		for _, p := range peers {
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				burst(b, p, 8, tasks, spinOrNil(work.d))
			}})
		}
		c := newCase(fmt.Sprintf("burst/tasks=%d%s", tasks, work.name),
			fmt.Sprintf("One op is a burst of %d %s to 8 workers at rest, until the last has run.", tasks, work.doc),
			impls, nameAnts, nameChan, nameGo)
		c.Metrics = []string{"p50-ns", "p99-ns"}
		c.BenchTime = "300x"
		c.Quick = work.d == 0
		cases = append(cases, c)
	}
	return cases
}

func burst(b *testing.B, p Peer, workers, tasks int, work func()) {
	pool, ran := p.New(workers), newTally()
	count := ran.task(work)
	var left atomic.Int32
	done := make(chan struct{}, 1)
	task := func() {
		count()
		if left.Add(-1) == 0 {
			done <- struct{}{}
		}
	}
	lost := time.NewTimer(patience)
	defer lost.Stop()
	var took stats.Histogram
	b.ResetTimer()
	for i := range b.N {
		time.Sleep(burstGap)
		lost.Reset(patience)
		left.Store(int32(tasks))
		start := time.Now()
		for range tasks {
			must(b, pool.Submit(task))
		}
		select {
		case <-done:
		case <-lost.C:
			b.Fatalf("burst %d: %d of %d tasks did not run", i, left.Load(), tasks)
		}
		took.Record(time.Since(start))
	}
	b.StopTimer()
	pool.close()
	ran.check(b, tasks*b.N)
	compare.ReportLatency(b, &took)
}
