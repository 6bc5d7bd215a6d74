package objpool_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/poundlock/poundlock/objpool"
)

// The comparison is go run -C bench . -run ^objpool/; these are for profiles and for
// working on the package.

func benchPool(b *testing.B, cfg objpool.Config[*thing]) *objpool.Pool[*thing] {
	b.Helper()
	b.ReportAllocs()
	cfg.New = func() *thing { return new(thing) }
	return objpool.Must(objpool.New(cfg))
}

func BenchmarkGetPut(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{})
	for b.Loop() {
		p.Put(p.Get())
	}
}

func BenchmarkGetPutParallel(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Put(p.Get())
		}
	})
}

func BenchmarkBurst16(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{})
	b.RunParallel(func(pb *testing.PB) {
		var vs [16]*thing
		for pb.Next() {
			for i := range vs {
				vs[i] = p.Get()
			}
			for _, v := range vs {
				p.Put(v)
			}
		}
	})
}

func BenchmarkGetPutHooks(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{
		Reset:    func(v *thing) (*thing, bool) { return v, true },
		Validate: func(*thing) bool { return true },
	})
	for b.Loop() {
		p.Put(p.Get())
	}
}

func BenchmarkGetPutSized(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{Size: func(*thing) int { return 64 }, MaxBytes: 1 << 20})
	for b.Loop() {
		p.Put(p.Get())
	}
}

// BenchmarkStats is one snapshot, while all other Ps use the pool.
func BenchmarkStats(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{})
	stop := usePool(p)
	for b.Loop() {
		p.Stats()
	}
	stop()
}

// BenchmarkClear stops the world once for each op, while all other Ps use the pool.
func BenchmarkClear(b *testing.B) {
	p := benchPool(b, objpool.Config[*thing]{})
	stop := usePool(p)
	var took time.Duration
	for b.Loop() {
		for last := time.Now(); time.Since(last) < 50*time.Microsecond; {
			// Let there be something to gather.
		}
		start := time.Now()
		p.Clear()
		took += time.Since(start)
	}
	b.ReportMetric(float64(took)/float64(b.N), "clear-ns")
	stop()
}

func usePool(p *objpool.Pool[*thing]) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for range 100 {
					p.Put(p.Get())
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

func BenchmarkBytes(b *testing.B) {
	b.ReportAllocs()
	p := objpool.Must(objpool.NewBytes(objpool.BytesConfig{}))
	for b.Loop() {
		p.Put(p.Get(3000))
	}
}

func BenchmarkBuffers(b *testing.B) {
	b.ReportAllocs()
	p := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{}))
	for b.Loop() {
		buf := p.Get()
		buf.WriteString("hello")
		p.Put(buf)
	}
}
