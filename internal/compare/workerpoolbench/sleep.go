package workerpoolbench

import (
	"fmt"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// ants' own benchmarks: a million tasks that sleep for 10 ms, at most 50 000 at
// once (ants_benchmark_test.go: RunTimes, PoolCap, BenchParam). One op is one
// task here and the whole million there.
const (
	sleepTasks   = 1_000_000
	sleepWorkers = 50_000
	sleepTime    = 10 * time.Millisecond
)

func doze() { time.Sleep(sleepTime) }

// sleepers are the implementations of these cases: the usual ones, and the
// semaphore that ants' benchmarks compare with.
func sleepers(peers []Peer) []Peer { return append(peers[:len(peers):len(peers)], semaphore()) }

// sleeps are ants' BenchmarkAntsPool and its siblings: until all have run.
func sleeps(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, tasks := range []int{sleepTasks / 10, sleepTasks} {
		var impls []compare.Impl
		for _, p := range sleepers(peers) {
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				sleepAll(b, p, sleepWorkers)
			}})
		}
		c := newCase(fmt.Sprintf("sleep/tasks=%d/workers=%d", tasks, sleepWorkers),
			fmt.Sprintf("One op is a task that sleeps for 10 ms, submitted and run; %d in all, at most %d at once.", tasks, sleepWorkers),
			impls, nameAnts, nameGo, nameChan)
		c.Metrics = []string{"ns/op", "B/op", "peak-bytes"}
		c.BenchTime = fmt.Sprintf("%dx", tasks)
		c.Crowd = true
		c.Quick = tasks < sleepTasks // a tenth of it for the short run
		cases = append(cases, c)
	}
	return cases
}

func sleepAll(b *testing.B, p Peer, workers int) {
	pool, ran := p.New(workers), newTally()
	task := ran.task(doze)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := pool.Submit(task); err != nil {
			must(b, err)
			break
		}
	}
	ran.wait(b, b.N)
	b.StopTimer()
	pool.close()
	ran.check(b, b.N)
}

// throughputs are ants' throughput benchmarks: how fast sleeping tasks are taken,
// by one submitter and by one per P. The waiting for their end is not timed.
func throughputs(peers []Peer) []compare.Case {
	var one, many []compare.Impl
	for _, p := range sleepers(peers) {
		one = append(one, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			throughput(b, p, func(submit func() bool) {
				for range b.N {
					if !submit() {
						return
					}
				}
			})
		}})
		many = append(many, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			throughput(b, p, func(submit func() bool) {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() && submit() {
					}
				})
			})
		}})
	}
	doc := "One op is a task that sleeps for 10 ms, submitted by %s; at most 50000 run at once."
	serial := newCase(fmt.Sprintf("throughput/workers=%d", sleepWorkers), fmt.Sprintf(doc, "one goroutine"),
		one, nameAnts, nameGo, nameChan)
	parallel := newCase(fmt.Sprintf("throughput-parallel/workers=%d", sleepWorkers), fmt.Sprintf(doc, "one goroutine per P"),
		many, nameAnts, nameGo, nameChan)
	serial.BenchTime, parallel.BenchTime = "200000x", "200000x"
	return []compare.Case{serial, parallel}
}

func throughput(b *testing.B, p Peer, run func(submit func() bool)) {
	pool, ran := p.New(sleepWorkers), newTally()
	task := ran.task(doze)
	b.ReportAllocs()
	b.ResetTimer()
	run(func() bool {
		err := pool.Submit(task)
		must(b, err)
		return err == nil
	})
	b.StopTimer()
	ran.wait(b, b.N)
	pool.close()
	ran.check(b, b.N)
}
