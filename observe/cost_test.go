package observe_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// hundred returns a registry of 100 instruments, each with a distribution of spread
// durations over as many powers of two.
func hundred(t testing.TB, powers int) *observe.Registry {
	r := new(observe.Registry)
	for i := range 100 {
		j := new(job)
		for p := range powers {
			for sub := range 16 {
				j.wait.Record(time.Duration(16+sub) << p)
			}
		}
		add(t, r, fmt.Sprintf("pool-%d", i), j)
	}
	return r
}

func TestAReadingAllocatesNothingThatGrowsWithBuckets(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	perRead := func(powers int) float64 {
		r := hundred(t, powers)
		return testing.AllocsPerRun(10, func() {
			for rd := range r.All(t.Context()) {
				_ = rd
			}
		})
	}
	few, many := perRead(1), perRead(40)
	require.InDelta(t, few, many, 20, "of 100 instruments")
	require.Less(t, many, 500.0, "an iterator and a method value for each Histograms")
}

func TestReading100InstrumentsTakesLessThanAMillisecond(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("takes its time: the race detector, or -short")
	}
	r := hundred(t, 10)
	best := time.Hour
	for range 100 { // the quickest: others use the machine, too
		start := time.Now()
		for rd := range r.All(t.Context()) {
			_ = rd
		}
		best = min(best, time.Since(start))
	}
	t.Logf("100 instruments in %v", best)
	require.Less(t, best, time.Millisecond)
}

func BenchmarkAll(b *testing.B) {
	r := hundred(b, 10)
	b.ReportAllocs()
	for b.Loop() {
		for rd := range r.All(b.Context()) {
			_ = rd
		}
	}
}

func BenchmarkWriteText(b *testing.B) {
	r := hundred(b, 10)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.WriteText(b.Context(), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
