package lockfreebench

import (
	"fmt"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// pairs are goroutines that each put a value and get one, again and again: the
// benchmark of Michael and Scott's paper, and of most since.
func pairs(all []Peer) []compare.Case {
	var cases []compare.Case
	for _, of := range []string{nameQueue, nameMS, nameBounded} {
		for _, g := range []int{1, 2, 8} {
			if of != nameQueue && g != 2 {
				continue
			}
			var impls []compare.Impl
			for _, p := range first(of, all) {
				impls = append(impls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) { pair(b, p, g) }})
			}
			name := fmt.Sprintf("pair/goroutines=%d", g)
			switch of {
			case nameMS:
				name = "ms-" + name
			case nameBounded:
				name = "bounded-" + name
			}
			c := newCase(name, fmt.Sprintf("One value put and one got, by each of %d goroutines.", g),
				impls, nameChan, nameMutex, nameBook, "lscq", "xsync-mpmc")
			c.Quick = of == nameQueue && g < 8
			if of == nameQueue && g == 8 {
				c.CPUs = []int{1, 2, 8}
			}
			cases = append(cases, c)
		}
	}
	return cases
}

func pair(b *testing.B, p Peer, g int) {
	b.ReportAllocs()
	c := newCrew(b, p)
	b.ResetTimer()
	for i := range g {
		c.run(func() (in, out int) {
			put, tryGet := c.q.Put, c.q.TryGet
			for k := range share(b.N, g, i) {
				put(k + 1)
				in += k + 1
				out += poll(tryGet)
			}
			return in, out
		})
	}
	c.wait()
}
