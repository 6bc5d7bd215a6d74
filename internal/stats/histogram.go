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
//
// The buckets of one power of two are a group. Group 0 has the values below
// subBuckets, group g those from subBuckets<<(g-1) on.
const (
	subBits    = 4
	subBuckets = 1 << subBits
	maxBits    = 45 // values of 2^45 ns (9.8 hours) and more share the last bucket
	numGroups  = maxBits - subBits + 1
	numBuckets = numGroups * subBuckets

	// RelativeError bounds how far a quantile or a mean read from a [Histogram]
	// may be from the recorded values.
	RelativeError = 1.0 / (2 * subBuckets)
)

// Histogram counts durations in buckets of bounded relative width (see
// [RelativeError]: 3.2 %). The zero value is empty and ready.
//
// An empty Histogram is one pointer. The first value costs it 352 bytes, and the
// first one in each power of two 128: durations between 1 µs and 1 ms take 1.6 KiB.
// Any other Record allocates nothing and makes one atomic addition.
//
// All methods are safe for concurrent use. It must not be copied after first use.
type Histogram struct{ t atomic.Pointer[table] }

// table is what a Histogram has once something was recorded. A group is nil until
// one of its buckets is hit, and stays where it is from then on.
type table struct {
	max    atomic.Int64
	groups [numGroups]atomic.Pointer[group]
}

// group is as large as a [Line], which its size class aligns it to: two powers of
// two do not slow each other.
type group [subBuckets]atomic.Uint64

// Record adds one duration. Negative durations count as zero.
func (h *Histogram) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN adds the duration d n times. A type that times only one event in n records
// it with that weight; then all counts and sums stand for all events.
func (h *Histogram) RecordN(d time.Duration, n uint64) {
	if n == 0 {
		return
	}
	t := h.t.Load()
	if t == nil {
		t = h.makeTable()
	}
	i := bucketOf(int64(d))
	g := t.groups[i/subBuckets].Load()
	if g == nil {
		g = t.makeGroup(i / subBuckets)
	}
	g[i%subBuckets].Add(n)
	for {
		m := t.max.Load()
		if int64(d) <= m || t.max.CompareAndSwap(m, int64(d)) {
			return
		}
	}
}

//go:noinline
func (h *Histogram) makeTable() *table {
	h.t.CompareAndSwap(nil, new(table))
	return h.t.Load()
}

//go:noinline
func (t *table) makeGroup(i int) *group {
	t.groups[i].CompareAndSwap(nil, new(group))
	return t.groups[i].Load()
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

// AddTo adds h's counts to s. Records that run beside it may or may not be in.
func (h *Histogram) AddTo(s *Snapshot) {
	t := h.t.Load()
	if t == nil {
		return
	}
	for i := range t.groups {
		g := t.groups[i].Load()
		if g == nil {
			continue
		}
		to := s.group(i)
		for j := range g {
			to[j] += g[j].Load()
		}
	}
	s.max = max(s.max, t.max.Load())
}

// Snapshot returns a copy of h's counts. To read again and again without
// allocating, keep a Snapshot, [Snapshot.Reset] it and use [Histogram.AddTo].
func (h *Histogram) Snapshot() *Snapshot {
	s := new(Snapshot)
	h.AddTo(s)
	return s
}

// Latency returns the summary of h. It allocates nothing. A nil Histogram gives
// the zero Latency.
func (h *Histogram) Latency() Latency {
	if h == nil {
		return Latency{}
	}
	t := h.t.Load()
	if t == nil {
		return Latency{}
	}
	var c counts
	for i := range t.groups {
		if g := t.groups[i].Load(); g != nil {
			for j := range g {
				c[i*subBuckets+j] = g[j].Load()
			}
		}
	}
	return c.latency(t.max.Load())
}
