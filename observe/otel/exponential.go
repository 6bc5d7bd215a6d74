package otel

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/poundlock/poundlock/observe"
)

// scale 3 has 8 buckets to a power of two; a Snapshot has 16, of equal width. At scale 4
// some buckets would stay empty for ever.
const scale = 3

func exponential(s *observe.Snapshot, start, now time.Time, set attribute.Set) metricdata.ExponentialHistogramDataPoint[float64] {
	p := metricdata.ExponentialHistogramDataPoint[float64]{
		Attributes: set, StartTime: start, Time: now, Count: s.Count(), Sum: s.Sum(), Scale: scale,
	}
	if p.Count > 0 {
		p.Max = metricdata.NewExtrema(s.Max().Seconds())
	}
	b := &p.PositiveBucket
	for middle, n := range s.Buckets() {
		if middle == 0 {
			p.ZeroCount = n
			continue
		}
		i := index(middle.Seconds())
		if len(b.Counts) == 0 {
			b.Offset = i
		}
		for b.Offset+int32(len(b.Counts)) <= i {
			b.Counts = append(b.Counts, 0)
		}
		b.Counts[i-b.Offset] += n
	}
	return p
}

// index returns the bucket of x, which is above 2^(i/8) and at most 2^((i+1)/8): one less
// than Prometheus's.
func index(x float64) int32 { return int32(math.Ceil(math.Log2(x)*(1<<scale))) - 1 }
