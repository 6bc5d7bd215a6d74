package batchchanbench

import (
	"fmt"
	"testing"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/internal/compare"
)

// sends are the cases of the cost of one item through Send.
func sends(peers []Peer) []compare.Case {
	all := append([]Peer{poundlock(), bareChan(), handWritten()}, peers...)
	var cases []compare.Case
	for _, p := range []int{1, 2, 64} {
		for _, size := range []int{10, 100, 1000} {
			var impls []compare.Impl
			for _, x := range all {
				if x.New != nil {
					impls = append(impls, compare.Impl{Name: x.Name, Config: x.Config, Bench: func(b *testing.B) { send(b, x, p, size) }})
				}
			}
			impls = append(impls, privateSlices(p, size))
			c := newCase(fmt.Sprintf("send/producers=%d/batch=%d", p, size),
				fmt.Sprintf("One op is an item from one of %d producers to one consumer, in batches of %d.", p, size),
				impls, append([]string{nameChan, nameSelect}, peerNames(peers, batches)...)...)
			c.Quick = size == 100
			cases = append(cases, c)
		}
	}
	return cases
}

func send(b *testing.B, x Peer, producers, size int) {
	var got tally
	q := x.New(size, linger, got.processOrReport)
	b.ReportAllocs()
	b.ResetTimer()
	produce(producers, b.N, func(from, to int) {
		for v := from; v <= to; v++ {
			q.Send(v)
		}
	})
	q.Close()
	b.StopTimer()
	got.check(b, b.N)
}

// privateSlices is the limit: each producer fills a slice of its own and sends it
// whole, so items wait for as long as their producer likes and nothing ages. It is
// measured beside the others but is no baseline, as it does less.
func privateSlices(producers, size int) compare.Impl {
	return compare.Impl{
		Name: nameSlices, Config: "limit: each producer fills its own slice and sends it whole; no linger",
		Bench: func(b *testing.B) {
			in := make(chan []int, max(pending(size)/size, producers))
			free := make(chan []int, cap(in)+producers+1)
			done := make(chan struct{})
			var got tally
			go func() {
				defer close(done)
				for items := range in {
					got.process(items)
					select {
					case free <- items[:0]:
					default:
					}
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			produce(producers, b.N, func(from, to int) {
				buf := make([]int, 0, size)
				for v := from; v <= to; v++ {
					if buf = append(buf, v); len(buf) == size {
						in <- buf
						select {
						case buf = <-free:
						default:
							buf = make([]int, 0, size)
						}
					}
				}
				if len(buf) > 0 {
					in <- buf
				}
			})
			close(in)
			<-done
			b.StopTimer()
			got.check(b, b.N)
		},
	}
}

// lanes are the cases of the other ways in: Producer, SendMany and Shards.
func lanes() []compare.Case {
	var cases []compare.Case
	for _, way := range []struct {
		name, config, doc string
		shards            int
		send              func(b *batchchan.Batcher[int], from, to int)
	}{
		{"producer", "Producer.Send", "through a Producer each", 0, sendLane},
		{"sendmany", "SendMany of 64 items", "64 at a time", 0, sendMany},
		{"shards", "Batcher.Send, Shards 2", "through shards", 2, sendOne},
	} {
		for _, p := range []int{1, 2, 64} {
			if way.shards > 0 && p == 1 {
				continue
			}
			for _, size := range []int{10, 100, 1000} {
				own := compare.Impl{Name: namePoundlock, Config: way.config, Bench: func(b *testing.B) {
					var got tally
					q := newSharded(size, way.shards, got.process)
					b.ReportAllocs()
					b.ResetTimer()
					produce(p, b.N, func(from, to int) { way.send(q, from, to) })
					check(q.Close())
					b.StopTimer()
					got.check(b, b.N)
				}}
				bare := bareChan()
				c := newCase(fmt.Sprintf("%s/producers=%d/batch=%d", way.name, p, size),
					fmt.Sprintf("One op is an item from one of %d producers to one consumer, %s, in batches of %d.", p, way.doc, size),
					[]compare.Impl{
						own,
						{Name: bare.Name, Config: bare.Config, Bench: func(b *testing.B) { send(b, bare, p, size) }},
						privateSlices(p, size),
					}, nameChan)
				c.Quick = size == 100 && p == 1
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func newSharded(size, shards int, process func([]int)) *batchchan.Batcher[int] {
	if shards == 0 {
		return newBatcher(size, linger, process)
	}
	b, err := batchchan.New(batchchan.Config[int]{MaxBatch: size, Linger: linger, MaxPending: pending(size), Shards: shards}, fn(process))
	check(err)
	return b
}

func sendLane(b *batchchan.Batcher[int], from, to int) {
	p := b.Producer()
	for v := from; v <= to; v++ {
		check(p.Send(bg, v))
	}
}

func sendOne(b *batchchan.Batcher[int], from, to int) {
	for v := from; v <= to; v++ {
		check(b.Send(bg, v))
	}
}

func sendMany(b *batchchan.Batcher[int], from, to int) {
	var items [64]int
	for from <= to {
		n := min(64, to-from+1)
		for i := range n {
			items[i] = from + i
		}
		_, err := b.SendMany(bg, items[:n])
		check(err)
		from += n
	}
}
