package stats

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets are log-linear, as in HdrHistogram: each power of two is cut into
// subBuckets equal parts, so a bucket is at most 1/subBuckets of its value wide
// and its middle is off by at most half of that. Values below 2*subBuckets have
// buckets of width 1 and are exact.
const (
	subBits    = 4
	subBuckets = 1 << subBits
	maxBits    = 45 // values of 2^45 ns (9.8 hours) and more share the last bucket
	numBuckets = (maxBits - subBits + 1) * subBuckets

	// RelativeError bounds how far a quantile or a mean read from a [Histogram]
	// may be from the recorded values.
	RelativeError = 1.0 / (2 * subBuckets)
)

// Histogram counts durations in buckets of bounded relative width (see
// [RelativeError]: 3.2 %). Record costs one atomic add. The zero value is empty
// and ready; it takes about 5 KiB, so types that must stay small hold a pointer
// and make it when the first value is due.
//
// All methods are safe for concurrent use.
type Histogram struct {
	max     atomic.Int64
	buckets [numBuckets]atomic.Uint64
}

// Record adds one duration. Negative durations count as zero.
func (h *Histogram) Record(d time.Duration) {
	h.buckets[bucketOf(int64(d))].Add(1)
	for {
		m := h.max.Load()
		if int64(d) <= m || h.max.CompareAndSwap(m, int64(d)) {
			return
		}
	}
}

func bucketOf(v int64) int {
	if v < subBuckets {
		return int(max(v, 0))
	}
	if v >= 1<<maxBits {
		return numBuckets - 1
	}
	shift := bits.Len64(uint64(v)) - 1 - subBits
	return (shift+1)<<subBits + int(v>>shift)&(subBuckets-1)
}

// middleOf returns the middle of bucket i, the value reported for all in it.
func middleOf(i int) int64 {
	if i < 2*subBuckets {
		return int64(i)
	}
	shift := i>>subBits - 1
	low := int64(subBuckets+i&(subBuckets-1)) << shift
	return low + int64(1)<<shift/2
}

// Snapshot is a copy of a [Histogram] at one moment. Snapshots can be added and
// subtracted, which gives the summary of several histograms together or of the
// time between two snapshots of one.
type Snapshot struct {
	max     int64
	buckets [numBuckets]uint64
}

// AddTo adds h's counts to s. Records that run beside it may or may not be in.
func (h *Histogram) AddTo(s *Snapshot) {
	for i := range h.buckets {
		s.buckets[i] += h.buckets[i].Load()
	}
	s.max = max(s.max, h.max.Load())
}

// Snapshot returns a copy of h's counts.
func (h *Histogram) Snapshot() *Snapshot {
	s := new(Snapshot)
	h.AddTo(s)
	return s
}

// Latency returns the summary of h. A nil Histogram gives the zero Latency.
func (h *Histogram) Latency() Latency {
	if h == nil {
		return Latency{}
	}
	return h.Snapshot().Latency()
}

// Merge adds o's counts to s.
func (s *Snapshot) Merge(o *Snapshot) {
	for i, n := range o.buckets {
		s.buckets[i] += n
	}
	s.max = max(s.max, o.max)
}

// Sub takes the counts of an earlier snapshot of the same histogram out of s.
// The maximum of what remains is then known only to its bucket.
func (s *Snapshot) Sub(earlier *Snapshot) {
	last := -1
	for i, n := range earlier.buckets {
		s.buckets[i] -= min(n, s.buckets[i])
		if s.buckets[i] > 0 {
			last = i
		}
	}
	switch {
	case last < 0:
		s.max = 0
	case s.max > earlier.max: // set since: still exact
	default:
		s.max = min(s.max, middleOf(last))
	}
}

// Latency summarises a set of durations. Quantiles and the mean are within 3.2 %
// of the recorded values, Max is exact. All are zero when Count is.
type Latency struct {
	Count uint64        `json:"count"` // durations recorded
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"` // half took at most this
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Latency returns the summary of s.
func (s *Snapshot) Latency() Latency {
	var l Latency
	var sum float64
	for i, n := range s.buckets {
		l.Count += n
		sum += float64(n) * float64(middleOf(i))
	}
	if l.Count == 0 {
		return l
	}
	l.Max = time.Duration(s.max)
	l.Mean = min(time.Duration(sum/float64(l.Count)), l.Max)
	l.P50, l.P90 = s.Quantile(0.50), s.Quantile(0.90)
	l.P99, l.P999 = s.Quantile(0.99), s.Quantile(0.999)
	return l
}

// Quantile returns the duration that the fraction q (0..1) of the recorded ones
// do not exceed, or 0 when nothing was recorded.
func (s *Snapshot) Quantile(q float64) time.Duration {
	var total uint64
	for _, n := range s.buckets {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := uint64(min(max(q, 0), 1)*float64(total) + 0.5)
	rank = min(max(rank, 1), total)
	var seen uint64
	for i, n := range s.buckets {
		if seen += n; seen >= rank {
			// The last bucket is open-ended; the maximum caps every other.
			if i == numBuckets-1 {
				return time.Duration(s.max)
			}
			return time.Duration(min(middleOf(i), s.max))
		}
	}
	return time.Duration(s.max)
}
