package stats

import "time"

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

// counts are all buckets in a row, as summaries want them: for a moment, on the
// stack.
type counts [numBuckets]uint64

func (c *counts) total() uint64 {
	var sum uint64
	for _, n := range c {
		sum += n
	}
	return sum
}

func (c *counts) latency(longest int64) Latency {
	l := Latency{Count: c.total()}
	if l.Count == 0 {
		return l
	}
	var sum float64
	for i, n := range c {
		if n > 0 {
			sum += float64(n) * float64(middleOf(i))
		}
	}
	l.Max = time.Duration(longest)
	l.Mean = min(time.Duration(sum/float64(l.Count)), l.Max)
	l.P50 = c.quantile(0.50, l.Count, longest)
	l.P90 = c.quantile(0.90, l.Count, longest)
	l.P99 = c.quantile(0.99, l.Count, longest)
	l.P999 = c.quantile(0.999, l.Count, longest)
	return l
}

func (c *counts) quantile(q float64, total uint64, longest int64) time.Duration {
	if total == 0 {
		return 0
	}
	rank := uint64(min(max(q, 0), 1)*float64(total) + 0.5)
	rank = min(max(rank, 1), total)
	var seen uint64
	for i, n := range c {
		if seen += n; seen >= rank {
			// The last bucket is open-ended; the maximum caps every other.
			if i == numBuckets-1 {
				break
			}
			return time.Duration(min(middleOf(i), longest))
		}
	}
	return time.Duration(longest)
}
