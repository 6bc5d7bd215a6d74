package locksbench

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare/work"
)

// Mix is what the goroutines of a case do: write the guarded data, or read it.
type Mix struct {
	PerMille   int           // of 1000 ops so many are writes
	Section    time.Duration // how long an op stays inside, besides the access
	Goroutines int           // per P

	done, wrote atomic.Uint64
}

// Op is one goroutine's part of a [Mix]. Its methods are small enough to be
// inlined into the measured loop.
type Op struct {
	x, threshold uint32
	steps        int
	done, wrote  uint64
	seen         uint64
}

// Write decides whether the next op is a write.
func (o *Op) Write() bool {
	o.done++
	o.x = o.x*1664525 + 1013904223
	return o.x < o.threshold
}

// Wrote is what a writer does inside of its section.
func (o *Op) Wrote(data *uint64) {
	*data++
	o.wrote++
	if o.steps > 0 {
		work.Keep(work.Spin(o.steps))
	}
}

// Saw is what a reader does inside of its section.
func (o *Op) Saw(data *uint64) {
	o.seen |= *data
	if o.steps > 0 {
		work.Keep(work.Spin(o.steps))
	}
}

// Run runs loop in the goroutines of the mix.
func (m *Mix) Run(b *testing.B, loop func(pb *testing.PB, op *Op)) {
	steps := int(m.Section * time.Duration(work.StepsPerMicrosecond()) / time.Microsecond)
	threshold := uint32(uint64(m.PerMille) * (1<<32 - 1) / 1000)
	var seed atomic.Uint32
	b.SetParallelism(max(m.Goroutines, 1))
	b.RunParallel(func(pb *testing.PB) {
		op := Op{x: seed.Add(2654435761), threshold: threshold, steps: steps}
		loop(pb, &op)
		m.done.Add(op.done)
		m.wrote.Add(op.wrote)
		work.Keep(op.seen)
	})
}

// Check fails b unless every op was done and every write is in data.
func (m *Mix) Check(b *testing.B, data uint64) {
	if done, wrote := m.done.Load(), m.wrote.Load(); done != uint64(b.N) || data != wrote {
		b.Fatalf("%d of %d ops done; the data has %d of %d writes", done, b.N, data, wrote)
	}
}

// padded is a lock with the data that it guards, on cache lines of their own.
type padded[L any] struct {
	_    [128]byte
	lock L
	data uint64
	_    [128]byte
}

func percent(perMille int) string { return fmt.Sprintf("%g%%", float64(perMille)/10) }
