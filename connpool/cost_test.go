package connpool_test

import (
	"context"
	"testing"
	"time"

	"github.com/poundlock/poundlock/connpool"
)

func benchPool(b *testing.B, change ...func(*connpool.Config[*int])) *connpool.Pool[*int] {
	b.Helper()
	cfg := connpool.Config[*int]{
		Dial:    func(context.Context) (*int, error) { return new(int), nil },
		Close:   func(*int) error { return nil },
		MaxOpen: 64,
	}
	for _, f := range change {
		f(&cfg)
	}
	p, err := connpool.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Warm(context.Background(), cfg.MaxOpen); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	return p
}

func cycle(b *testing.B, p *connpool.Pool[*int]) {
	c, err := p.Acquire(context.Background())
	if err != nil {
		b.Error(err)
		return
	}
	c.Release()
}

func BenchmarkAcquireRelease(b *testing.B) {
	p := benchPool(b)
	b.ReportAllocs()
	for b.Loop() {
		cycle(b, p)
	}
}

func BenchmarkAcquireReleaseWithLimits(b *testing.B) {
	p := benchPool(b, func(c *connpool.Config[*int]) {
		c.LeakAfter, c.IdleTimeout, c.MaxLifetime, c.MaxUses = time.Minute, time.Minute, time.Hour, 1<<40
	})
	for b.Loop() {
		cycle(b, p)
	}
}

func BenchmarkParallel(b *testing.B) {
	p := benchPool(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			cycle(b, p)
		}
	})
}

// Each goroutine its own pool: what BenchmarkParallel would take if processors did
// not disturb each other at all.
func BenchmarkParallelOwnPools(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		p := benchPool(b)
		for pb.Next() {
			cycle(b, p)
		}
	})
}

func BenchmarkHandoff(b *testing.B) {
	p := benchPool(b, func(c *connpool.Config[*int]) { c.MaxOpen = 1 })
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			cycle(b, p)
		}
	})
}

func BenchmarkDo(b *testing.B) {
	p := benchPool(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = p.Do(context.Background(), func(context.Context, *int) error { return nil })
	}
}

func BenchmarkReleaseWithReset(b *testing.B) {
	p := benchPool(b, func(c *connpool.Config[*int]) {
		c.Reset = func(context.Context, *int) error { return nil }
	})
	for b.Loop() {
		cycle(b, p)
	}
}

func BenchmarkKeyed(b *testing.B) {
	k, err := connpool.NewKeyed(connpool.KeyedConfig[int, *int]{
		Dial: func(context.Context, int) (*int, error) { return new(int), nil },
		Pool: connpool.Config[*int]{Close: func(*int) error { return nil }},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	for i := 0; b.Loop(); i++ {
		c, err := k.Acquire(context.Background(), i&15)
		if err != nil {
			b.Fatal(err)
		}
		c.Release()
	}
}

func BenchmarkStats(b *testing.B) {
	p := benchPool(b)
	for b.Loop() {
		p.Stats()
	}
}
