package objpoolbench

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/objpool"
)

// big is an object that is dear to make: 16 KiB that have to be zeroed.
type big struct{ data [bigSize]byte }

const (
	bigSize  = 16 << 10
	bigCount = 256
)

// collections is the case of objects that have to outlive garbage collections: what
// a pool is for where load comes in waves.
func collections() []compare.Case {
	impl := func(name, config string, mk func(made *int) (get func() *big, put func(*big))) compare.Impl {
		return compare.Impl{Name: name, Config: config, Bench: func(b *testing.B) {
			made := 0
			get, put := mk(&made)
			var objects [bigCount]*big
			use := func() {
				for i := range objects {
					objects[i] = get()
					objects[i].data[i]++
				}
				for i, o := range objects {
					put(o)
					objects[i] = nil
				}
			}
			use()
			first := made
			var took time.Duration
			var before, after runtime.MemStats
			bytes := uint64(0)
			for range b.N {
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&before)
				start := time.Now()
				use()
				took += time.Since(start)
				runtime.ReadMemStats(&after)
				bytes += after.TotalAlloc - before.TotalAlloc
			}
			b.StopTimer()
			if first != bigCount {
				b.Fatalf("%d objects in use at once, %d were made", bigCount, first)
			}
			pairs := float64(b.N * bigCount)
			b.ReportMetric(float64(took)/pairs, "pair-ns")
			b.ReportMetric(float64(made-first)/pairs, "misses/pair")
			b.ReportMetric(float64(bytes)/pairs, "B/pair")
		}}
	}
	c := newCase(fmt.Sprintf("gc/objects=%d/size=%d", bigCount, bigSize),
		"A Get and a Put of 16 KiB objects, 256 at a time, after two garbage collections.",
		[]compare.Impl{
			impl("poundlock", "Max 256", func(made *int) (func() *big, func(*big)) {
				p := objpool.Must(objpool.New(objpool.Config[*big]{
					New: func() *big { *made++; return new(big) },
					Max: bigCount,
				}))
				return p.Get, func(o *big) { p.Put(o) }
			}),
			impl(nameSync, "with New", func(made *int) (func() *big, func(*big)) {
				p := &sync.Pool{New: func() any { *made++; return new(big) }}
				return func() *big { return p.Get().(*big) }, func(o *big) { p.Put(o) }
			}),
		})
	c.Metrics = []string{"pair-ns", "misses/pair", "B/pair"}
	c.BenchTime = "30x"
	c.Quick = true
	return []compare.Case{c}
}
