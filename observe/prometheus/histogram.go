package prometheus

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"github.com/poundlock/poundlock/observe"
)

// schema 3 has 8 native buckets to a power of two; a Snapshot has 16, of equal width.
// At schema 4 some native buckets would stay empty for ever, since equal widths and
// equal ratios do not fit.
const schema = 3

// ready is a metric that was made at the time of the scrape: a Snapshot is only valid
// then. It exists because the constant histograms of client_golang have classic or native
// buckets, not both, and its summaries need a sum.
type ready struct {
	desc   *prometheus.Desc
	metric *dto.Metric
}

func (r *ready) Desc() *prometheus.Desc { return r.desc }

func (r *ready) Write(m *dto.Metric) error {
	proto.Merge(m, r.metric)
	return nil
}

func newSummary(d *prometheus.Desc, labels []string, l *observe.Latency) prometheus.Metric {
	s := &dto.Summary{SampleCount: proto.Uint64(l.Count)}
	for _, q := range []struct{ q, v float64 }{
		{0.5, l.P50.Seconds()}, {0.9, l.P90.Seconds()}, {0.99, l.P99.Seconds()}, {0.999, l.P999.Seconds()},
	} {
		s.Quantile = append(s.Quantile, &dto.Quantile{Quantile: proto.Float64(q.q), Value: proto.Float64(q.v)})
	}
	return &ready{d, &dto.Metric{Label: prometheus.MakeLabelPairs(d, labels), Summary: s}}
}

func newHistogram(d *prometheus.Desc, labels []string, s *observe.Snapshot, cfg Config) prometheus.Metric {
	h := &dto.Histogram{SampleCount: proto.Uint64(s.Count()), SampleSum: proto.Float64(s.Sum())}
	for i, n := range observe.Cumulative(s, cfg.Bounds) {
		h.Bucket = append(h.Bucket, &dto.Bucket{
			UpperBound: proto.Float64(cfg.Bounds[i].Seconds()), CumulativeCount: proto.Uint64(n),
		})
	}
	if !cfg.NoNative {
		addNative(h, s)
	}
	return &ready{d, &dto.Metric{Label: prometheus.MakeLabelPairs(d, labels), Histogram: h}}
}

// addNative adds native buckets: spans of adjacent buckets, and the difference of each
// count to the one before.
func addNative(h *dto.Histogram, s *observe.Snapshot) {
	var zeros uint64
	var last struct {
		index int
		count int64
		any   bool
	}
	before := int64(0) // the count whose delta was written last
	flush := func() {
		if last.any {
			h.PositiveDelta = append(h.PositiveDelta, last.count-before)
			before = last.count
		}
	}
	for middle, n := range s.Buckets() {
		if middle == 0 {
			zeros = n
			continue
		}
		i := index(middle.Seconds())
		if last.any && i == last.index {
			last.count += int64(n)
			continue
		}
		flush()
		spans := h.PositiveSpan
		switch {
		case !last.any:
			h.PositiveSpan = append(spans, &dto.BucketSpan{Offset: proto.Int32(int32(i)), Length: proto.Uint32(1)})
		case i == last.index+1:
			*spans[len(spans)-1].Length++
		default:
			h.PositiveSpan = append(spans, &dto.BucketSpan{Offset: proto.Int32(int32(i - last.index - 1)), Length: proto.Uint32(1)})
		}
		last.index, last.count, last.any = i, int64(n), true
	}
	flush()
	if !last.any { // an empty span says that the histogram is native
		h.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
	h.Schema, h.ZeroThreshold, h.ZeroCount = proto.Int32(schema), proto.Float64(0), proto.Uint64(zeros)
}

// index returns the native bucket of x: the least i with x <= 2^(i/8).
func index(x float64) int { return int(math.Ceil(math.Log2(x) * (1 << schema))) }
