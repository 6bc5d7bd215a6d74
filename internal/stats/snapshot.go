package stats

import (
	"iter"
	"time"
)

// Snapshot is a copy of a [Histogram] at one moment, or several added up. The
// zero value is empty and ready.
//
// Snapshots can be added and subtracted, which gives the distribution of several
// histograms together, or that of the time between two snapshots of one. Reset
// keeps the storage, so that a snapshot which is filled again and again allocates
// only for powers of two that it has not seen.
//
// A Snapshot is not safe for concurrent use. A copy of the struct shares its counts.
type Snapshot struct {
	max    int64
	groups [numGroups]*[subBuckets]uint64 // as in a Histogram; nil where nothing was counted
}

func (s *Snapshot) group(i int) *[subBuckets]uint64 {
	if s.groups[i] == nil {
		s.groups[i] = new([subBuckets]uint64)
	}
	return s.groups[i]
}

// Reset empties s and keeps its storage.
func (s *Snapshot) Reset() {
	s.max = 0
	for _, g := range s.groups {
		if g != nil {
			clear(g[:])
		}
	}
}

// Merge adds o's counts to s.
func (s *Snapshot) Merge(o *Snapshot) {
	for i, from := range o.groups {
		if from == nil {
			continue
		}
		to := s.group(i)
		for j, n := range from {
			to[j] += n
		}
	}
	s.max = max(s.max, o.max)
}

// Sub takes the counts of an earlier snapshot of the same histogram out of s.
// The maximum of what remains is then known only to its bucket.
func (s *Snapshot) Sub(earlier *Snapshot) {
	last := -1
	for i, g := range s.groups {
		if g == nil {
			continue
		}
		if e := earlier.groups[i]; e != nil {
			for j, n := range e {
				g[j] -= min(n, g[j])
			}
		}
		for j, n := range g {
			if n > 0 {
				last = i*subBuckets + j
			}
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

// Count returns how many durations s holds.
func (s *Snapshot) Count() uint64 {
	var sum uint64
	for _, g := range s.groups {
		if g != nil {
			for _, n := range g {
				sum += n
			}
		}
	}
	return sum
}

// Sum returns the sum of the durations in seconds, within [RelativeError]. It is
// never smaller for a later snapshot of the same histogram.
func (s *Snapshot) Sum() float64 {
	// Terms that only grow, added in one order, make a sum that only grows: each
	// rounding keeps the order of what it rounds.
	var sum float64
	for d, n := range s.Buckets() {
		sum += float64(n) * float64(d)
	}
	return sum / float64(time.Second)
}

// Max returns the longest duration. It is exact unless s came of a Sub (see there).
func (s *Snapshot) Max() time.Duration { return time.Duration(s.max) }

// Buckets yields the middle and the count of each bucket that is not empty, the
// shortest first. There are 16 to each power of two.
func (s *Snapshot) Buckets() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, g := range s.groups {
			if g == nil {
				continue
			}
			for j, n := range g {
				if n > 0 && !yield(time.Duration(middleOf(i*subBuckets+j)), n) {
					return
				}
			}
		}
	}
}

// Latency returns the summary of s. It allocates nothing.
func (s *Snapshot) Latency() Latency {
	c := s.counts()
	return c.latency(s.max)
}

// Quantile returns the duration that the fraction q (0..1) of those in s do not
// exceed, or 0 when there are none.
func (s *Snapshot) Quantile(q float64) time.Duration {
	c := s.counts()
	return c.quantile(q, c.total(), s.max)
}

func (s *Snapshot) counts() (c counts) {
	for i, g := range s.groups {
		if g != nil {
			copy(c[i*subBuckets:], g[:])
		}
	}
	return c
}
