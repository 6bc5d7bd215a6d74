package workerpoolbench

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// latencies are the cases of the time from a task's arrival to its first
// instruction, at a given rate of arrivals.
//
// The load is open-loop: task i arrives at start + i/rate whatever the pool does,
// and its latency counts from that moment, not from when the pacer got round to
// calling Submit. A pool whose Submit blocks, or that falls behind, thus shows
// the waiting of all who arrive meanwhile; measured from the actual call it would
// hide it (coordinated omission).
//
// The pacer computes until each arrival is due: sleeping would be late by more
// than what is measured. It occupies one P and never yields it, for every
// implementation alike, and so also sees what a busy submitter sees: the worker
// must be started by another P. With one P it yields instead, because nothing
// else could run. How late it came to call Submit, because an earlier Submit
// blocked or because the machine took its core away, is reported beside.
func latencies(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, of := range []struct {
		rate      int
		neighbour bool
	}{{10_000, false}, {50_000, false}, {200_000, false}, {50_000, true}} {
		var impls []compare.Impl
		for _, p := range peers {
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				if of.neighbour {
					defer withNeighbour(b)()
				}
				submitToStart(b, p, 8, of.rate)
			}})
		}
		name, doc := "", ""
		if of.neighbour {
			name, doc = "/neighbour", " Another process takes 15 % of a core, 3 ms at a time."
		}
		c := newCase(fmt.Sprintf("latency/rate=%d%s", of.rate, name),
			fmt.Sprintf("From a task's scheduled arrival to its start; %d arrive per second, for 8 workers.%s", of.rate, doc),
			impls, nameAnts, nameChan, nameGo)
		c.Metrics = []string{"p50-ns", "p99-ns", "p999-ns"}
		c.BenchTime = fmt.Sprintf("%dx", of.rate*3/10) // 0.3 s
		c.Quick = of.rate == 50_000 && !of.neighbour
		cases = append(cases, c)
	}
	return cases
}

func submitToStart(b *testing.B, p Peer, workers, rate int) {
	pool, ran := p.New(workers), newTally()
	for range warmTasks {
		must(b, pool.Submit(ran.task(nil)))
	}
	ran.wait(b, warmTasks)

	var late, pacer stats.Histogram
	every := time.Second / time.Duration(rate)
	// Tasks are made first: the pacer neither allocates nor touches new memory.
	tasks := make([]func(), b.N)
	var start time.Time
	for i := range tasks {
		due := time.Duration(i) * every
		tasks[i] = func() {
			late.Record(time.Since(start) - due)
			ran.Add(1)
		}
	}
	alone := runtime.GOMAXPROCS(0) == 1
	runtime.GC()
	b.ResetTimer()
	start = time.Now()
	for i, task := range tasks {
		due := time.Duration(i) * every
		now := time.Since(start)
		for ; now < due; now = time.Since(start) {
			if alone {
				runtime.Gosched()
			}
		}
		pacer.Record(now - due)
		if err := pool.Submit(task); err != nil {
			must(b, err)
			break
		}
	}
	ran.wait(b, warmTasks+b.N)
	b.StopTimer()
	pool.close()
	ran.check(b, warmTasks+b.N)
	compare.ReportLatency(b, &late)
	b.ReportMetric(float64(pacer.Latency().P99), "pacer-p99-ns")
}
