package locksbench

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/work"
	"github.com/poundlock/poundlock/internal/stats"
	"github.com/poundlock/poundlock/locks"
)

// writerAmongReaders measures how long the one writer waits while readers never
// pause. One op is one write.
func writerAmongReaders(b *testing.B, readers int, rw rwLocker) {
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
	compare.ReportLatency(b, &h)
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
	compare.ReportLatency(b, &h)
	b.ReportMetric(float64(h.Latency().Max), "max-ns")
}

// readerAmongWriters measures how long a reader that comes now and then waits
// among writers that never pause, 5 µs inside. One op is one read.
func readerAmongWriters(b *testing.B, writers int, rw rwLocker) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	section := 5 * work.StepsPerMicrosecond()
	for range writers {
		wg.Go(func() {
			for !stop.Load() {
				rw.Lock()
				work.Keep(work.Spin(section))
				rw.Unlock()
			}
		})
	}
	var h stats.Histogram
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		rw.RLock()
		d := time.Since(start)
		rw.RUnlock()
		h.Record(d)
		time.Sleep(100 * time.Microsecond)
	}
	b.StopTimer()
	stop.Store(true)
	wg.Wait()
	compare.ReportLatency(b, &h)
}

// returning is the workload of golang/go issue 76808: readers that come back as
// soon as they have left, and writers that do so too, all inside for 1 ms without
// using the CPU. One op is one write.
func returning(b *testing.B, readers, writers int, rw rwLocker) {
	var reads, writes atomic.Int64
	var worst atomic.Int64
	var wg sync.WaitGroup
	done := func() bool { return writes.Load() >= int64(b.N) }
	b.ResetTimer()
	for range readers {
		wg.Go(func() {
			for !done() {
				rw.RLock()
				time.Sleep(time.Millisecond)
				rw.RUnlock()
				reads.Add(1)
			}
		})
	}
	for range writers {
		wg.Go(func() {
			for !done() {
				start := time.Now()
				rw.Lock()
				d := int64(time.Since(start))
				time.Sleep(time.Millisecond)
				rw.Unlock()
				writes.Add(1)
				for w := worst.Load(); d > w && !worst.CompareAndSwap(w, d); w = worst.Load() {
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(worst.Load()), "max-ns")
	b.ReportMetric(float64(b.Elapsed())/float64(max(reads.Load(), 1)), "read-ns")
	b.ReportMetric(float64(b.Elapsed())/float64(writes.Load()), "write-ns")
}

// rwLocker is a read/write lock.
type rwLocker interface {
	sync.Locker
	RLock()
	RUnlock()
}

// rwImpls are the read/write locks, as measured by f.
func rwImpls(f func(*testing.B, rwLocker)) []compare.Impl {
	return []compare.Impl{
		{Name: poundlock, Config: "RWMutex", Bench: func(b *testing.B) { f(b, new(locks.RWMutex)) }},
		{Name: syncRW, Bench: func(b *testing.B) { f(b, new(sync.RWMutex)) }},
	}
}

func waitImpls() []compare.Impl {
	return []compare.Impl{
		{Name: poundlock, Config: "SpinMutex", Bench: func(b *testing.B) { waitsOf(b, 16, new(locks.SpinMutex)) }},
		{Name: syncMutex, Bench: func(b *testing.B) { waitsOf(b, 16, new(sync.Mutex)) }},
		{Name: antsLock, Config: "its algorithm", Bench: func(b *testing.B) { waitsOf(b, 16, new(antsSpin)) }},
	}
}
