package batchchan_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/poundlock/poundlock/batchchan"
)

// The full comparison is go run -C bench . -run batchchan; these are the package's
// own costs and the channel that they are ratios of.

func produce(b *testing.B, p int, f func(n int)) {
	var wg sync.WaitGroup
	for g := range p {
		n := b.N / p
		if g == 0 {
			n += b.N % p
		}
		wg.Go(func() { f(n) })
	}
	wg.Wait()
}

func BenchmarkSend(b *testing.B) {
	for _, p := range []int{1, 2, 64} {
		b.Run(fmt.Sprintf("P=%d/chan", p), func(b *testing.B) {
			ch := make(chan int, 4096)
			sum := 0
			var g errgroup.Group
			g.Go(func() error {
				for v := range ch {
					sum += v
				}
				return nil
			})
			b.ReportAllocs()
			b.ResetTimer()
			produce(b, p, func(n int) {
				for range n {
					ch <- 1
				}
			})
			close(ch)
			g.Wait()
			if sum != b.N {
				b.Fatal(sum, b.N)
			}
		})
		for _, size := range []int{10, 100, 1000} {
			for _, mode := range []string{"Send", "Producer", "SendMany", "Shards"} {
				if mode == "Shards" && p == 1 {
					continue
				}
				b.Run(fmt.Sprintf("P=%d/B=%d/%s", p, size, mode), func(b *testing.B) {
					sum := 0
					cfg := batchchan.Config[int]{MaxBatch: size, Linger: 5 * time.Millisecond, MaxPending: max(4096, 4*size)}
					if mode == "Shards" {
						cfg.Shards = 2
					}
					x, err := batchchan.New(cfg, func(_ context.Context, items []int) error {
						for _, v := range items {
							sum += v
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
					b.ReportAllocs()
					b.ResetTimer()
					produce(b, p, func(n int) {
						switch mode {
						case "Producer":
							pr := x.Producer()
							for range n {
								pr.Send(bg, 1)
							}
						case "SendMany":
							var many [64]int
							for i := range many {
								many[i] = 1
							}
							for ; n > 0; n -= 64 {
								x.SendMany(bg, many[:min(n, 64)])
							}
						default:
							for range n {
								x.Send(bg, 1)
							}
						}
					})
					x.Close()
					b.StopTimer()
					if sum != b.N {
						b.Fatal(sum, b.N)
					}
					s := x.Stats()
					b.ReportMetric(float64(s.Waits)/float64(b.N)*1000, "blocked/1000")
				})
			}
		}
	}
}

func BenchmarkChan(b *testing.B) {
	for _, pc := range [][2]int{{1, 1}, {2, 2}, {64, 1}, {64, 64}} {
		name := fmt.Sprintf("%dP%dC", pc[0], pc[1])
		b.Run(name+"/chan", func(b *testing.B) {
			ch := make(chan int, 4096)
			var g errgroup.Group
			for range pc[1] {
				g.Go(func() error {
					for range ch {
					}
					return nil
				})
			}
			produce(b, pc[0], func(n int) {
				for range n {
					ch <- 1
				}
			})
			close(ch)
			g.Wait()
		})
		b.Run(name+"/select", func(b *testing.B) {
			ch := make(chan int, 4096)
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			var g errgroup.Group
			for range pc[1] {
				g.Go(func() error {
					for {
						select {
						case _, ok := <-ch:
							if !ok {
								return nil
							}
						case <-ctx.Done():
							return nil
						}
					}
				})
			}
			produce(b, pc[0], func(n int) {
				for range n {
					select {
					case ch <- 1:
					case <-ctx.Done():
					}
				}
			})
			close(ch)
			g.Wait()
		})
		for _, mode := range []string{"Chan", "RecvMany", "ctx"} {
			b.Run(name+"/"+mode, func(b *testing.B) {
				ch := batchchan.NewChan[int](4096)
				ctx, cancel := bg, context.CancelFunc(func() {})
				if mode == "ctx" {
					ctx, cancel = context.WithCancel(bg)
				}
				defer cancel()
				var g errgroup.Group
				for range pc[1] {
					g.Go(func() error {
						buf := make([]int, 64)
						for {
							var err error
							if mode == "RecvMany" {
								_, err = ch.RecvMany(ctx, buf)
							} else {
								_, err = ch.Recv(ctx)
							}
							if err != nil {
								return nil
							}
						}
					})
				}
				produce(b, pc[0], func(n int) {
					for range n {
						ch.Send(ctx, 1)
					}
				})
				ch.Close()
				g.Wait()
				if s := ch.Stats(); s.Received != uint64(b.N) {
					b.Fatal(s)
				}
			})
		}
	}
}

func BenchmarkDo(b *testing.B) {
	for _, p := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", p), func(b *testing.B) {
			k, err := batchchan.NewCaller(batchchan.Config[int]{}, func(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
				for i, r := range reqs {
					res[i].Value = r + 1
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			produce(b, p, func(n int) {
				for i := range n {
					if v, err := k.Do(bg, i); v != i+1 || err != nil {
						b.Error(v, err)
					}
				}
			})
			k.Close()
		})
	}
}
