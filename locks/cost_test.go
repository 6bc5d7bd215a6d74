package locks_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/poundlock/poundlock/locks"
)

// spend takes about 1.5 n ns. It is not inlined, lest its loop be laid out
// differently in each benchmark, which changes its time by a third.
//
//go:noinline
func spend(n int) {
	for range n {
		nop()
	}
}

//go:noinline
func nop() {}

func BenchmarkUncontended(b *testing.B) {
	b.Run("R/ours", func(b *testing.B) {
		var rw locks.RWMutex
		for range b.N {
			rw.RLock()
			rw.RUnlock()
		}
	})
	b.Run("W/ours", func(b *testing.B) {
		var rw locks.RWMutex
		for range b.N {
			rw.Lock()
			rw.Unlock()
		}
	})
	b.Run("Spin/ours", func(b *testing.B) {
		var m locks.SpinMutex
		for range b.N {
			m.Lock()
			m.Unlock()
		}
	})
}

func mixedOurs(b *testing.B, writesPerMille, section, goroutines int) {
	var shared struct {
		_  [128]byte
		rw locks.RWMutex
		_  [128]byte
	}
	var writes atomic.Int64
	b.SetParallelism(goroutines)
	b.RunParallel(func(pb *testing.PB) {
		rw := &shared.rw
		x, w := uint32(1), 0
		for pb.Next() {
			x = x*1664525 + 1013904223
			if int(x>>12)%1000 < writesPerMille {
				rw.Lock()
				spend(section)
				w++
				rw.Unlock()
			} else {
				rw.RLock()
				spend(section)
				rw.RUnlock()
			}
		}
		writes.Add(int64(w))
	})
	st := shared.rw.Stats()
	if st.Writes != uint64(writes.Load()) || st.Reads+st.Writes != uint64(b.N) {
		b.Fatalf("did %d ops, %d of them writes, and counted %d + %d", b.N, writes.Load(), st.Reads, st.Writes)
	}
}

func BenchmarkMixed(b *testing.B) {
	for _, w := range []int{0, 1, 10, 100, 500, 1000} {
		for _, section := range []int{0, 35, 140} {
			for _, g := range []int{1, 64} {
				if g > 1 && section != 0 {
					continue
				}
				name := fmt.Sprintf("writes=%g%%/section=%d/goroutines=%d", float64(w)/10, section, g*runtime.GOMAXPROCS(0))
				b.Run(name+"/ours", func(b *testing.B) { mixedOurs(b, w, section, g) })
			}
		}
	}
}

func spinOurs(b *testing.B, section, goroutines int) {
	var shared struct {
		_ [128]byte
		m locks.SpinMutex
		n int
		_ [128]byte
	}
	b.SetParallelism(goroutines)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			shared.m.Lock()
			spend(section)
			shared.n++
			shared.m.Unlock()
		}
	})
	if shared.n != b.N {
		b.Fatalf("counted %d of %d", shared.n, b.N)
	}
}

func BenchmarkSpin(b *testing.B) {
	for _, section := range []int{0, 35, 140} {
		for _, g := range []int{1, 16} {
			name := fmt.Sprintf("section=%d/goroutines=%d", section, g*runtime.GOMAXPROCS(0))
			b.Run(name+"/ours", func(b *testing.B) { spinOurs(b, section, g) })
		}
	}
}

func BenchmarkKeyed(b *testing.B) {
	for _, n := range []int{16, 1024} {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprint("tenant/", i)
		}
		b.Run(fmt.Sprintf("keys=%d/ours", n), func(b *testing.B) {
			k := locks.NewKeyed[string]()
			var seed atomic.Uint32
			b.RunParallel(func(pb *testing.PB) {
				x := seed.Add(2654435761)
				for pb.Next() {
					x = x*1664525 + 1013904223
					k.Lock(keys[uint64(x)*uint64(n)>>32]).Unlock()
				}
			})
		})
	}
}
