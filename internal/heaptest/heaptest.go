// Package heaptest measures, for tests, how much memory values keep alive.
package heaptest

import "runtime"

// settled is how far two measures of an unchanged heap may be apart, in bytes.
const settled = 4 << 10

// Live returns the bytes of living objects. It collects until a further
// collection frees no more: sync.Pools let go of their objects in the second, and
// goroutines that earlier tests left behind may still be ending.
func Live() int64 {
	last := collect()
	for range 20 {
		now := collect()
		if last-now < settled && now-last < settled {
			return now
		}
		last = now
	}
	return last
}

func collect() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Growth returns by how many bytes each of n calls of use lets the living memory
// grow. What use makes has to be alive until Growth has returned.
func Growth(n int, use func(i int)) int64 {
	before := Live()
	for i := range n {
		use(i)
	}
	return (Live() - before) / int64(n)
}
