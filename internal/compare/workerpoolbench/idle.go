package workerpoolbench

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// idleUnit is processor time per second of a pool at rest.
const idleUnit = "idle-cpu-ns/s"

// idleTime is how long one op of the idle case is; its figure is per second.
var idleTime = time.Second

// idles is the case of a pool that has worked and has nothing to do. The
// process itself, which has the Go runtime's own housekeeping, is "nothing".
func idles(peers []Peer) []compare.Case {
	if _, ok := cpuTime(); !ok {
		return nil
	}
	nothing := Peer{
		Name:   "nothing",
		Config: "a process without a pool",
		New: func(int) Pool {
			return Pool{Submit: func(task func()) error { task(); return nil }}
		},
	}
	var impls []compare.Impl
	for _, p := range append(peers[:len(peers):len(peers)], nothing) {
		if p.Name == nameGo || p.Name == "errgroup" {
			continue // nothing is left of them when the last task has run
		}
		impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			idle(b, p, 256)
		}})
	}
	c := newCase("idle/workers=256", "One op is a second in which a pool with 256 workers has nothing to do.",
		impls, nothing.Name, nameAnts, nameChan)
	c.Metrics = []string{idleUnit}
	c.BenchTime = "1x"
	return []compare.Case{c}
}

func idle(b *testing.B, p Peer, workers int) {
	pool, ran := p.New(workers), newTally()
	task := ran.task(spinFor(10 * time.Microsecond))
	const tasks = 4 * warmTasks
	for range tasks {
		must(b, pool.Submit(task))
	}
	ran.wait(b, tasks)
	// The collector returns memory in the background for a while: let it do so now.
	debug.FreeOSMemory()
	runtime.GC()
	time.Sleep(idleTime / 5)
	var used time.Duration
	b.ResetTimer()
	for range b.N {
		before, _ := cpuTime()
		time.Sleep(idleTime)
		after, _ := cpuTime()
		used += after - before
	}
	b.StopTimer()
	b.ReportMetric(float64(used)/float64(b.N)/idleTime.Seconds(), idleUnit)
	pool.close()
	ran.check(b, tasks)
}
