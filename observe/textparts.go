package observe

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultBounds returns the upper bounds that histograms have in text: from 1 µs to
// 1 min, six to a power of ten between 10 µs and 10 s. A quantile that is estimated
// from them is off by the width of one bucket at most: 43 % around 70 ms, 67 % around 30 ms. Native
// histograms (observe/prometheus) are off by 9 %.
func DefaultBounds() []time.Duration {
	bounds := []time.Duration{time.Microsecond, 2 * time.Microsecond, 5 * time.Microsecond}
	for d := 10 * time.Microsecond; d < 10*time.Second; d *= 10 {
		bounds = append(bounds, d, d/2*3, 2*d, 3*d, 5*d, 7*d)
	}
	return append(bounds, 10*time.Second, 15*time.Second, 30*time.Second, time.Minute)
}

// Cumulative returns how many durations of s are at most each of the bounds, which
// are in ascending order. A bucket of s counts by its middle, which is off by 3.2 %
// at most.
func Cumulative(s *Snapshot, bounds []time.Duration) []uint64 {
	bs := make([]bound, len(bounds))
	for i, d := range bounds {
		bs[i].d = d
	}
	counts := make([]uint64, len(bounds))
	cumulate(s, bs, counts)
	return counts
}

func cumulate(s *Snapshot, bounds []bound, counts []uint64) {
	i, seen := 0, uint64(0)
	for middle, n := range s.Buckets() {
		for i < len(bounds) && bounds[i].d < middle {
			counts[i] = seen
			i++
		}
		seen += n
	}
	for ; i < len(bounds); i++ {
		counts[i] = seen
	}
}

// family returns the name of the metric's family in OpenMetrics: that of a counter
// is without "_total".
func (f *Field) family() string {
	if f.Kind == Counter {
		return strings.TrimSuffix(f.Metric, "_total")
	}
	return f.Metric
}

// unitInName returns the unit where the family's name ends in it, as OpenMetrics
// wants it.
func (f *Field) unitInName() string {
	if f.Unit == Timestamp {
		return Seconds
	}
	return f.Unit
}

// number appends x: whole numbers without an exponent, as people read them.
func number(b []byte, x float64) []byte {
	switch {
	case x == math.Trunc(x) && math.Abs(x) < 1<<53:
		return strconv.AppendInt(b, int64(x), 10)
	case math.IsInf(x, 1):
		return append(b, "+Inf"...)
	default:
		return strconv.AppendFloat(b, x, 'g', -1, 64)
	}
}

// escape appends the value of a label.
func escape(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			b = append(b, `\n`...)
		case '\\', '"':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// escapeHelp appends a help text, in which only OpenMetrics escapes quotes.
func escapeHelp(b []byte, s string, open bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\\', c == '"' && open:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}
