package lockfreebench

import (
	"fmt"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// transfers pass values from producers to consumers. Those in "wait" park when
// there is nothing to get, those in "poll" yield and try again, for queues that
// cannot park.
func transfers(all []Peer) []compare.Case {
	var cases []compare.Case
	for _, g := range []int{1, 2, 8, 64} {
		var waits, polls []compare.Impl
		for _, p := range all {
			if p.New().Get != nil {
				waits = append(waits, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
					transfer(b, p, g, func(q Queue) func() int { return q.Get })
				}})
			}
			polls = append(polls, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) {
				transfer(b, p, g, func(q Queue) func() int {
					return func() int { return poll(q.TryGet) }
				})
			}})
		}
		c := newCase(fmt.Sprintf("wait/producers=%d/consumers=%d", g, g),
			"One value passed; who finds nothing waits, parked.", waits, nameChan, nameMutex)
		c.Quick = g == 8
		if g == 64 {
			c.CPUs = []int{1, 2, 8}
		}
		cases = append(cases, c)
		cases = append(cases, newCase(fmt.Sprintf("poll/producers=%d/consumers=%d", g, g),
			"One value passed; who finds nothing yields and tries again.", polls,
			nameChan, nameMutex, nameBook, "lscq", "xsync-mpmc"))
	}
	var pp []compare.Impl
	for _, p := range all {
		if p.New().Get != nil {
			pp = append(pp, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) { pingPong(b, p) }})
		}
	}
	c := newCase("pingpong", "A value to another goroutine and one back, both waiting.", pp, nameChan, nameMutex)
	c.Quick = true
	return append(cases, c)
}

func transfer(b *testing.B, p Peer, g int, getter func(Queue) func() int) {
	b.ReportAllocs()
	c := newCrew(b, p)
	b.ResetTimer()
	for i := range g {
		c.run(func() (in, _ int) {
			put := c.q.Put
			for k := range share(b.N, g, i) {
				put(k + 1)
				in += k + 1
			}
			return in, 0
		})
		c.run(func() (_, out int) {
			get := getter(c.q)
			for range share(b.N, g, i) {
				out += get()
			}
			return 0, out
		})
	}
	c.wait()
}

func pingPong(b *testing.B, p Peer) {
	c, back := newCrew(b, p), p.New()
	b.ResetTimer()
	c.run(func() (_, out int) {
		for range b.N {
			v := c.q.Get()
			out += v
			back.Put(v)
		}
		return 0, out
	})
	c.run(func() (in, _ int) {
		for k := range b.N {
			c.q.Put(k + 1)
			in += k + 1
			if v := back.Get(); v != k+1 {
				b.Errorf("got %d back for %d", v, k+1)
			}
		}
		return in, 0
	})
	c.wait()
}
