package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCounterIsExactUnderConcurrency(t *testing.T) {
	c := NewCounter()
	const goroutines, each = 16, 5000
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			last := uint64(0)
			for i := range each {
				c.Add(2)
				if i%500 == 0 {
					now := c.Load()
					if now < last {
						t.Errorf("Load went back from %d to %d", last, now)
					}
					last = now
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 2*goroutines*each, c.Load())
}

func TestBucketErrorIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Range(0, 1<<maxBits-1).Draw(t, "v")
		got := middleOf(bucketOf(v))
		if off := math.Abs(float64(got - v)); off > RelativeError*float64(v) {
			t.Fatalf("%d is reported as %d, off by %.2f %%", v, got, 100*off/float64(v))
		}
	})
}

func TestBucketsAreMonotonicAndContiguous(t *testing.T) {
	for i := range numBuckets {
		require.Equal(t, i, bucketOf(middleOf(i)), "bucket %d", i)
	}
	for shift := range maxBits {
		v := int64(1) << shift
		require.LessOrEqual(t, bucketOf(v-1), bucketOf(v))
		require.LessOrEqual(t, bucketOf(v), bucketOf(v+1))
		require.LessOrEqual(t, bucketOf(v+1)-bucketOf(v-1), 2)
	}
}

func TestHistogramExtremes(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Latency(), "empty")
	require.Zero(t, (*Histogram)(nil).Latency(), "nil")
	h.Record(-5)
	h.Record(0)
	require.Equal(t, Latency{Count: 2}, h.Latency(), "negative counts as zero")
	h.Record(math.MaxInt64)
	l := h.Latency()
	require.EqualValues(t, 3, l.Count)
	require.EqualValues(t, int64(math.MaxInt64), l.Max)
	require.EqualValues(t, int64(math.MaxInt64), l.P999, "the open bucket reports the maximum")
}

func TestQuantilesMatchSortedValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "n")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var h Histogram
		vs := make([]int64, n)
		var sum float64
		for i := range vs {
			vs[i] = int64(math.Exp(rng.Float64() * 25)) // 1 ns .. 72 s
			sum += float64(vs[i])
			h.Record(time.Duration(vs[i]))
		}
		slices.Sort(vs)
		l := h.Latency()
		near := func(what string, got time.Duration, want float64) {
			if math.Abs(float64(got)-want) > RelativeError*want+1 {
				t.Fatalf("%s = %d, want %.0f", what, got, want)
			}
		}
		near("mean", l.Mean, sum/float64(n))
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := min(max(int(q*float64(n)+0.5), 1), n)
			near("quantile", h.Snapshot().Quantile(q), float64(vs[rank-1]))
		}
		if l.Max != time.Duration(vs[n-1]) {
			t.Fatalf("max = %d, want %d", l.Max, vs[n-1])
		}
		if l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max || l.Mean > l.Max {
			t.Fatalf("not in order: %+v", l)
		}
	})
}

func TestMergeAndSubAreInverse(t *testing.T) {
	var a, b, both Histogram
	for i := range 1000 {
		d := time.Duration(i * i)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
		both.Record(d)
	}
	sum := a.Snapshot()
	sum.Merge(b.Snapshot())
	require.Equal(t, both.Snapshot(), sum)

	window := both.Snapshot()
	window.Sub(a.Snapshot())
	require.Equal(t, b.Snapshot().counts(), window.counts())
	require.EqualValues(t, b.Latency().Count, window.Latency().Count)

	window = both.Snapshot()
	window.Sub(both.Snapshot())
	require.Zero(t, window.Latency(), "nothing happened in between")
}

func TestSubKeepsAnExactNewMaximum(t *testing.T) {
	var h Histogram
	h.Record(10 * time.Millisecond)
	before := h.Snapshot()
	h.Record(3 * time.Millisecond)
	w := h.Snapshot()
	w.Sub(before)
	require.InEpsilon(t, 3*time.Millisecond, w.Latency().Max, RelativeError)
	h.Record(77777777)
	w = h.Snapshot()
	w.Sub(before)
	require.EqualValues(t, 77777777, w.Latency().Max)
}

func TestHistogramConcurrentRecords(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5000 {
				h.Record(time.Duration(g*5000 + i))
			}
		})
	}
	wg.Wait()
	l := h.Latency()
	require.EqualValues(t, 40000, l.Count)
	require.EqualValues(t, 39999, l.Max)
}

func TestRecordAllocatesNothing(t *testing.T) {
	var h Histogram
	c := NewCounter()
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Record(123); c.Add(1) }))
}

func TestRatioAndRateSurviveZero(t *testing.T) {
	require.Zero(t, Ratio(1, 0))
	require.Equal(t, 0.5, Ratio(1, 2))
	require.Zero(t, Rate(1, 5, 0))
	require.Zero(t, Rate(5, 1, time.Second))
	require.Equal(t, 8.0, Rate(1, 5, 500*time.Millisecond))
}

func BenchmarkCounterAdd(b *testing.B) {
	c := NewCounter()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Add(1)
		}
	})
}

func BenchmarkHistogramRecord(b *testing.B) {
	var h Histogram
	for i := 0; b.Loop(); i++ {
		h.Record(time.Duration(i & 0xffff))
	}
}

func BenchmarkHistogramLatency(b *testing.B) {
	var h Histogram
	for i := range 100000 {
		h.Record(time.Duration(i * 17))
	}
	for b.Loop() {
		h.Latency()
	}
}
