package workerpoolbench

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// smallTasks are the cases where the pool's own cost is what one sees: tasks of
// next to nothing, one and ten microseconds.
func smallTasks(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, work := range []struct {
		name string
		doc  string
		d    time.Duration
	}{
		{"empty", "an empty task", 0},
		{"1us", "a task that computes for 1 µs", time.Microsecond},
		{"10us", "a task that computes for 10 µs", 10 * time.Microsecond},
	} {
		for _, workers := range []int{2, 8, 256} {
			for _, producers := range []int{1, 2} {
				var impls []compare.Impl
				for _, p := range peers {
					impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
						submitAll(b, p, workers, producers, spinOrNil(work.d))
					}})
				}
				c := newCase(
					fmt.Sprintf("%s/workers=%d/producers=%d", work.name, workers, producers),
					fmt.Sprintf("One op is %s, submitted and run.", work.doc),
					impls, append([]string{nameAnts, nameChan}, wider(peers)...)...)
				c.Quick = workers == 8 && (work.d == 0 || work.d == time.Microsecond && producers == 1)
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// scaling is the empty task again for 1, 2 and 8 Ps.
func scaling(peers []Peer) []compare.Case {
	var impls []compare.Impl
	for _, p := range peers {
		impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
			submitAll(b, p, 64, 2, nil)
		}})
	}
	c := newCase("scaling/workers=64/producers=2", "One op is an empty task, submitted and run, at each GOMAXPROCS.",
		impls, nameAnts, nameChan)
	c.CPUs = []int{1, 2, 8}
	return []compare.Case{c}
}

// funcPools are the cases with one function for all tasks, which need no closure
// per task.
func funcPools(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, producers := range []int{1, 2} {
		var impls []compare.Impl
		for _, p := range peers {
			if p.NewFunc == nil {
				continue
			}
			impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				invokeAll(b, p, 8, producers)
			}})
		}
		c := newCase(fmt.Sprintf("func/workers=8/producers=%d", producers),
			"One op is an argument handed to a pool of one function, and run.",
			impls, nameAnts, nameChan)
		c.Quick = producers == 1
		cases = append(cases, c)
	}
	return cases
}

// wider lists the peers that are not in the root module.
func wider(peers []Peer) []string {
	own := names(roots())
	return slices.DeleteFunc(names(peers), func(n string) bool { return slices.Contains(own, n) })
}

func spinOrNil(d time.Duration) func() {
	if d == 0 {
		return nil
	}
	return spinFor(d)
}

// warmTasks are run before the timed part, so that lazily started workers and
// grown stacks are not in it.
const warmTasks = 1024

// submitAll has the producers submit b.N tasks in all and waits for them.
func submitAll(b *testing.B, p Peer, workers, producers int, work func()) {
	pool, ran := p.New(workers), newTally()
	task := ran.task(work)
	produceAll(b, ran, producers, func(int) error { return pool.Submit(task) })
	pool.close()
	ran.check(b, warmTasks+b.N)
}

// invokeAll is submitAll for a pool of one function. The arguments' sum is
// checked as well.
func invokeAll(b *testing.B, p Peer, workers, producers int) {
	ran, sum := newTally(), newTally()
	pool := p.NewFunc(workers, func(arg int) { sum.Add(uint64(arg)); ran.Add(1) })
	produceAll(b, ran, producers, func(i int) error { return pool.Invoke(i) })
	pool.close()
	ran.check(b, warmTasks+b.N)
	want := warmTasks * (warmTasks - 1) / 2
	for i := range producers {
		n := share(b.N, producers, i)
		want += n * (n - 1) / 2
	}
	sum.check(b, want)
}

// produceAll times how long it takes until b.N calls of submit, shared by the
// producers, have been made and their tasks have run.
func produceAll(b *testing.B, ran tally, producers int, submit func(i int) error) {
	produce := func(n int) {
		for i := range n {
			if err := submit(i); err != nil {
				must(b, err)
				return
			}
		}
	}
	produce(warmTasks)
	ran.wait(b, warmTasks)

	// The benchmark's goroutine is the first producer.
	var others sync.WaitGroup
	start := make(chan struct{})
	for i := 1; i < producers; i++ {
		others.Go(func() {
			<-start
			produce(share(b.N, producers, i))
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	produce(share(b.N, producers, 0))
	others.Wait()
	ran.wait(b, warmTasks+b.N)
	b.StopTimer()
}

// share is how many of n the i-th of parts takes.
func share(n, parts, i int) int {
	return n*(i+1)/parts - n*i/parts
}
