package main

import (
	"runtime"
	"time"
)

// usage is what a piece of work took.
type usage struct {
	wall, cpu     time.Duration
	bytes, allocs float64
}

// measure runs f and returns what the whole process took meanwhile.
func measure(f func()) usage {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, begin := cpuTime(), time.Now()
	f()
	u := usage{wall: time.Since(begin), cpu: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	u.bytes = float64(after.TotalAlloc - before.TotalAlloc)
	u.allocs = float64(after.Mallocs - before.Mallocs)
	return u
}
