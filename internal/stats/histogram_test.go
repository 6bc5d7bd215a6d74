package stats

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHistogramIsSmall(t *testing.T) {
	require.Equal(t, unsafe.Sizeof(uintptr(0)), unsafe.Sizeof(Histogram{}), "one pointer")
	require.EqualValues(t, Line, unsafe.Sizeof(group{}))
	require.LessOrEqual(t, int(unsafe.Sizeof(table{})), 352, "as the doc says")

	h := new(Histogram)
	for range 3 { // a table and a group, whatever else comes to this power of two
		h.Record(time.Microsecond)
		h.Record(1023)
	}
	require.Equal(t, 1, h.groupsMade())
	h.Record(1024)
	require.Equal(t, 2, h.groupsMade())
	for d := range time.Duration(time.Millisecond) {
		h.Record(max(d, time.Microsecond))
	}
	require.LessOrEqual(t, int(unsafe.Sizeof(table{}))+h.groupsMade()*Line, 1792, "1 µs to 1 ms")
}

func (h *Histogram) groupsMade() (n int) {
	t := h.t.Load()
	for i := range t.groups {
		if t.groups[i].Load() != nil {
			n++
		}
	}
	return n
}

// All that many goroutines record at the same moment, while tables and groups are
// being made, must be counted.
func TestFirstRecordsAreNotLost(t *testing.T) {
	for range 200 {
		var h Histogram
		var wg sync.WaitGroup
		var start atomic.Bool
		const goroutines = 4
		for range goroutines {
			wg.Go(func() {
				for !start.Load() {
				}
				for shift := range 46 {
					h.Record(1 << shift)
				}
			})
		}
		start.Store(true)
		wg.Wait()
		require.EqualValues(t, goroutines*46, h.Latency().Count)
	}
}

func TestRecordN(t *testing.T) {
	var h, each Histogram
	h.RecordN(5*time.Millisecond, 3)
	h.RecordN(time.Second, 0)
	h.RecordN(7*time.Microsecond, 16)
	for range 3 {
		each.Record(5 * time.Millisecond)
	}
	for range 16 {
		each.Record(7 * time.Microsecond)
	}
	a, b := h.Snapshot(), each.Snapshot()
	require.Equal(t, b.counts(), a.counts())
	require.EqualValues(t, 19, a.Count())
	require.Equal(t, b.Sum(), a.Sum())
	require.Equal(t, each.Latency(), h.Latency(), "what happened no times was not the longest either")
}

// A model of a Snapshot is the list of the durations in it.
func TestSnapshotAgainstModel(t *testing.T) {
	durations := rapid.SliceOfN(rapid.Map(rapid.Uint64(), func(v uint64) time.Duration {
		return time.Duration(v >> 1 >> (v % 63)) // all magnitudes
	}), 0, 60)
	middle := func(d time.Duration) time.Duration { return time.Duration(middleOf(bucketOf(int64(d)))) }
	check := func(t *rapid.T, s *Snapshot, want []time.Duration) {
		counts := map[time.Duration]uint64{}
		sum := 0.0
		for _, d := range want {
			counts[middle(d)]++
			sum += float64(middle(d))
		}
		if got := maps.Collect(s.Buckets()); !maps.Equal(got, counts) {
			t.Fatalf("buckets %v, want %v", got, counts)
		}
		if s.Count() != uint64(len(want)) {
			t.Fatalf("count %d of %d", s.Count(), len(want))
		}
		if math.Abs(s.Sum()-sum/1e9) > 1e-9*sum/1e9 {
			t.Fatalf("sum %g, want %g", s.Sum(), sum/1e9)
		}
		last := time.Duration(-1)
		for d := range s.Buckets() {
			if d <= last {
				t.Fatalf("%v after %v", d, last)
			}
			last = d
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var h, other Histogram
		first, second, more := durations.Draw(t, "first"), durations.Draw(t, "second"), durations.Draw(t, "other")
		for _, d := range first {
			h.Record(d)
		}
		before := h.Snapshot()
		check(t, before, first)
		for _, d := range second {
			h.Record(d)
		}
		after := h.Snapshot()
		check(t, after, slices.Concat(first, second))
		if after.Sum() < before.Sum() {
			t.Fatalf("the sum went back from %g to %g", before.Sum(), after.Sum())
		}
		if len(first)+len(second) > 0 && after.Max() != slices.Max(slices.Concat(first, second)) {
			t.Fatalf("max %v", after.Max())
		}
		for _, d := range more {
			other.Record(d)
		}
		other.AddTo(after)
		check(t, after, slices.Concat(first, second, more))
		after.Sub(before)
		check(t, after, slices.Concat(second, more))
		after.Reset()
		check(t, after, nil)
		if after.Max() != 0 || after.Latency() != (Latency{}) {
			t.Fatal("Reset left something")
		}
		h.AddTo(after)
		check(t, after, slices.Concat(first, second))
	})
}

func TestReadingAllocatesNothing(t *testing.T) {
	var h Histogram
	for shift := range 40 {
		h.Record(1 << shift)
	}
	s, before := h.Snapshot(), h.Snapshot()
	for what, read := range map[string]func(){
		"Latency":          func() { h.Latency() },
		"Snapshot.Latency": func() { s.Latency() },
		"Snapshot.Sum":     func() { s.Sum() },
		"Sub":              func() { s.Sub(before) },
		"Reset and AddTo": func() {
			s.Reset()
			h.AddTo(s)
		},
	} {
		require.Zero(t, testing.AllocsPerRun(100, read), what)
	}
}

func BenchmarkHistogramRead(b *testing.B) {
	var h Histogram
	for i := range 100000 {
		h.Record(time.Duration(i * 17))
	}
	s := h.Snapshot()
	b.ReportAllocs()
	for b.Loop() {
		s.Reset()
		h.AddTo(s)
	}
}
