package batchchanbench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/internal/compare"
)

// fn makes a Func of process.
func fn(process func([]int)) batchchan.Func[int] {
	return func(_ context.Context, items []int) error {
		process(items)
		return nil
	}
}

// pairs are the cases of Chan beside a Go channel.
func pairs() []compare.Case {
	var cases []compare.Case
	for _, n := range [][2]int{{1, 1}, {2, 2}, {64, 1}, {64, 64}} {
		p, c := n[0], n[1]
		dims := fmt.Sprintf("producers=%d/consumers=%d", p, c)
		one := newCase("chan/"+dims, "One op is an item through a buffer of 4096.", []compare.Impl{
			{Name: namePoundlock, Config: "Chan.Send, Chan.Recv", Bench: func(b *testing.B) { chanPair(b, p, c, bg, 1) }},
			goChan(p, c),
		}, nameChan)
		one.Quick = true
		many := newCase("recvmany/"+dims, "One op is an item through a buffer of 4096, received up to 64 at a time.", []compare.Impl{
			{Name: namePoundlock, Config: "Chan.Send, Chan.RecvMany of 64", Bench: func(b *testing.B) { chanPair(b, p, c, bg, 64) }},
			goChan(p, c),
		}, nameChan)
		withCtx := newCase("ctx/"+dims, "One op is an item through a buffer of 4096, with a context at both ends.", []compare.Impl{
			{Name: namePoundlock, Config: "Chan.Send, Chan.Recv with a context", Bench: func(b *testing.B) {
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				chanPair(b, p, c, ctx, 1)
			}},
			goSelect(p, c),
		}, nameSelect)
		cases = append(cases, one, many, withCtx)
	}
	return cases
}

// pairTally adds up what several consumers received.
type pairTally struct{ n, sum atomic.Int64 }

func (t *pairTally) add(n, sum int) {
	t.n.Add(int64(n))
	t.sum.Add(int64(sum))
}

func (t *pairTally) check(b *testing.B) {
	total := tally{int(t.n.Load()), int(t.sum.Load())}
	total.check(b, b.N)
}

func chanPair(b *testing.B, producers, consumers int, ctx context.Context, many int) {
	c := batchchan.NewChan[int](4096)
	var got pairTally
	var wg sync.WaitGroup
	for range consumers {
		wg.Go(func() {
			n, sum := 0, 0
			defer func() { got.add(n, sum) }()
			buf := make([]int, many)
			for {
				if many == 1 {
					v, err := c.Recv(ctx)
					if err != nil {
						return
					}
					n++
					sum += v
					continue
				}
				k, err := c.RecvMany(ctx, buf)
				if err != nil {
					return
				}
				n += k
				for _, v := range buf[:k] {
					sum += v
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	produce(producers, b.N, func(from, to int) {
		for v := from; v <= to; v++ {
			check(c.Send(ctx, v))
		}
	})
	c.Close()
	wg.Wait()
	b.StopTimer()
	got.check(b)
}

func goChan(producers, consumers int) compare.Impl {
	return compare.Impl{Name: nameChan, Config: "a Go channel", Bench: func(b *testing.B) {
		ch := make(chan int, 4096)
		var got pairTally
		var wg sync.WaitGroup
		for range consumers {
			wg.Go(func() {
				n, sum := 0, 0
				for v := range ch {
					n++
					sum += v
				}
				got.add(n, sum)
			})
		}
		b.ReportAllocs()
		b.ResetTimer()
		produce(producers, b.N, func(from, to int) {
			for v := from; v <= to; v++ {
				ch <- v
			}
		})
		close(ch)
		wg.Wait()
		b.StopTimer()
		got.check(b)
	}}
}

func goSelect(producers, consumers int) compare.Impl {
	return compare.Impl{Name: nameSelect, Config: "a Go channel, select with ctx.Done at both ends", Bench: func(b *testing.B) {
		ch := make(chan int, 4096)
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		var got pairTally
		var wg sync.WaitGroup
		for range consumers {
			wg.Go(func() {
				n, sum := 0, 0
				defer func() { got.add(n, sum) }()
				for {
					select {
					case v, ok := <-ch:
						if !ok {
							return
						}
						n++
						sum += v
					case <-ctx.Done():
						return
					}
				}
			})
		}
		b.ReportAllocs()
		b.ResetTimer()
		produce(producers, b.N, func(from, to int) {
			for v := from; v <= to; v++ {
				select {
				case ch <- v:
				case <-ctx.Done():
				}
			}
		})
		close(ch)
		wg.Wait()
		b.StopTimer()
		got.check(b)
	}}
}
