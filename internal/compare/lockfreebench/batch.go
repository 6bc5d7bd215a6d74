package lockfreebench

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// batches are goroutines that each put many values at once and get as many. A
// queue without batches passes them one by one.
func batches(all []Peer) []compare.Case {
	var cases []compare.Case
	for _, g := range []int{1, 2} {
		for _, n := range []int{8, 64} {
			var impls []compare.Impl
			for _, p := range all {
				if p.New().PutBatch != nil {
					impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) { batch(b, p, g, n) }})
				}
			}
			c := newCase(fmt.Sprintf("batch/n=%d/goroutines=%d", n, g),
				fmt.Sprintf("One value of %d put and got together, by each of %d goroutines.", n, g), impls, nameChan, nameMutex)
			c.Quick = n == 64 && g == 2
			cases = append(cases, c)
		}
	}
	return cases
}

func batch(b *testing.B, p Peer, g, n int) {
	b.ReportAllocs()
	c := newCrew(b, p)
	b.ResetTimer()
	for i := range g {
		c.run(func() (in, out int) {
			buf := make([]int, n)
			for left := share(b.N, g, i); left > 0; {
				vs := buf[:min(n, left)]
				for k := range vs {
					vs[k] = left + k
					in += left + k
				}
				left -= len(vs)
				c.q.PutBatch(vs)
				for len(vs) > 0 {
					k := c.q.GetBatch(vs)
					for _, v := range vs[:k] {
						out += v
					}
					if vs = vs[k:]; k == 0 {
						runtime.Gosched()
					}
				}
			}
			return in, out
		})
	}
	c.wait()
}
