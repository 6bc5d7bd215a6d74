package batchchanbench

import (
	"sync"
	"testing"
)

// tally counts and adds up what was processed. It belongs to the one goroutine
// that processes.
type tally struct{ n, sum int }

func (t *tally) process(items []int) {
	sum := 0
	for _, v := range items {
		sum += v
	}
	t.n += len(items)
	t.sum += sum
}

// report hands the tally of a consumer without batches over to the case's, as one
// marked batch.
func (t tally) report(process func([]int)) { process([]int{tallyMark, t.n, t.sum}) }

const tallyMark = -1 // no item: they count from 1

// processOrReport is tally.process that also understands report.
func (t *tally) processOrReport(items []int) {
	if len(items) == 3 && items[0] == tallyMark {
		t.n += items[1]
		t.sum += items[2]
		return
	}
	t.process(items)
}

// check fails the benchmark unless the items 1 to n came, each once.
func (t *tally) check(b *testing.B, n int) {
	b.Helper()
	want := n / 2 * (n + 1) // wraps as the sum does, where int has 32 bits
	if n%2 == 1 {
		want = (n + 1) / 2 * n
	}
	if t.n != n || t.sum != want {
		b.Fatalf("processed %d of %d items, sum %d instead of %d", t.n, n, t.sum, want)
	}
}

// produce runs p producers that share the items 1 to n in equal ranges.
func produce(p, n int, f func(from, to int)) {
	var wg sync.WaitGroup
	for i := range p {
		from, to := n*i/p, n*(i+1)/p
		wg.Go(func() { f(from+1, to) })
	}
	wg.Wait()
}
