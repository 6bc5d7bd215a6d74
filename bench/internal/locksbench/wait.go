package locksbench

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner"
	"github.com/poundlock/poundlock/bench/internal/work"
	"github.com/poundlock/poundlock/internal/stats"
	"github.com/poundlock/poundlock/locks"
)

// writerAmongReaders measures how long the one writer waits while readers never
// pause. One op is one write.
func writerAmongReaders(b *testing.B, readers int, rw interface {
	sync.Locker
	RLock()
	RUnlock()
},
) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	steps := work.StepsPerMicrosecond() / 5 // 200 ns
	for range readers {
		wg.Go(func() {
			for !stop.Load() {
				rw.RLock()
				work.Keep(work.Spin(steps))
				rw.RUnlock()
			}
		})
	}
	var h stats.Histogram
	var worst time.Duration
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		rw.Lock()
		d := time.Since(start)
		rw.Unlock()
		h.Record(d)
		worst = max(worst, d)
		work.Keep(work.Spin(100 * steps)) // 20 µs; to yield would be to wait for the readers' time slices
	}
	b.StopTimer()
	stop.Store(true)
	wg.Wait()
	runner.ReportLatency(b, &h)
	b.ReportMetric(float64(worst), "max-ns")
}

// waitsOf measures the waits of goroutines that all want one lock, 200 ns inside
// and 200 ns outside. One op is one acquisition.
func waitsOf(b *testing.B, perP int, l sync.Locker) {
	var h stats.Histogram
	var n int
	steps := work.StepsPerMicrosecond() / 5
	b.SetParallelism(perP)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			start := time.Now()
			l.Lock()
			d := time.Since(start)
			n++
			work.Keep(work.Spin(steps))
			l.Unlock()
			h.Record(d)
			work.Keep(work.Spin(steps))
		}
	})
	if n != b.N {
		b.Fatalf("%d of %d ops done", n, b.N)
	}
	runner.ReportLatency(b, &h)
	b.ReportMetric(float64(h.Latency().Max), "max-ns")
}

func writerImpls() []runner.Impl {
	return []runner.Impl{
		{Name: poundlock, Config: "RWMutex", Bench: func(b *testing.B) { writerAmongReaders(b, 32, new(locks.RWMutex)) }},
		{Name: syncRW, Bench: func(b *testing.B) { writerAmongReaders(b, 32, new(sync.RWMutex)) }},
	}
}

func waitImpls() []runner.Impl {
	return []runner.Impl{
		{Name: poundlock, Config: "SpinMutex", Bench: func(b *testing.B) { waitsOf(b, 16, new(locks.SpinMutex)) }},
		{Name: syncMutex, Bench: func(b *testing.B) { waitsOf(b, 16, new(sync.Mutex)) }},
		{Name: antsLock, Config: "its algorithm", Bench: func(b *testing.B) { waitsOf(b, 16, new(antsSpin)) }},
	}
}
