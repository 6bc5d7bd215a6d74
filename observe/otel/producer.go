package otel

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/poundlock/poundlock/observe"
)

// ScopeName is the instrumentation scope of all metrics.
const ScopeName = "github.com/poundlock/poundlock/observe/otel"

// Config says how the metrics look. The zero value is good.
type Config struct {
	// DBSystem, if not empty, has the readings of connpool named by the semantic conventions
	// for database clients, with this db.system.name: "postgresql", "redis".
	DBSystem string

	// HTTP has the readings of observe/httpstats named by the semantic conventions for HTTP:
	// http.server.request.duration with http.route and url.scheme, http.client.request.duration
	// with server.address, both with http.request.method, http.response.status_code and, where
	// it is one, error.type; and the active requests of both, all methods together where the
	// route does not say which. A server's refused requests have no duration.
	HTTP bool
}

// Producer is a metric.Producer over a registry. It is safe for concurrent use.
type Producer struct {
	registry *observe.Registry
	cfg      Config
	start    time.Time
}

var _ metric.Producer = (*Producer)(nil)

// NewProducer returns a producer. Its cumulative metrics start now. A nil registry panics.
func NewProducer(r *observe.Registry, cfg Config) *Producer {
	if r == nil {
		panic("otel: nil Registry")
	}
	return &Producer{registry: r, cfg: cfg, start: time.Now()}
}

// Produce reads the registry. When ctx ends before that is done, it returns what was read and
// ctx's error.
func (p *Producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	b := batch{producer: p, now: time.Now(), index: map[string]int{}}
	for rd := range p.registry.All(ctx) {
		for i := range rd.Values {
			b.add(rd, &rd.Values[i])
		}
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: ScopeName}, Metrics: b.metrics}}, context.Cause(ctx)
}

// batch collects the points of a reading by metric.
type batch struct {
	producer *Producer
	now      time.Time
	metrics  []metricdata.Metrics
	index    map[string]int // of metrics, by name
	work     observe.Snapshot
}

// metric returns the index of a metric, which is there from then on.
func (b *batch) metric(name, unit string, v *observe.Value, conventional bool) int {
	i, ok := b.index[name]
	if !ok {
		i = len(b.metrics)
		b.index[name] = i
		b.metrics = append(b.metrics, metricdata.Metrics{Name: name, Description: v.Help, Unit: unit, Data: empty(v.Kind, conventional)})
	}
	return i
}

func (b *batch) add(rd *observe.Reading, v *observe.Value) {
	if v.Kind == observe.Distribution && v.Snapshot == nil {
		return // a summary cannot be expressed: OpenTelemetry keeps it for old formats
	}
	name, unit, attrs, conventional := b.producer.named(rd, v)
	if parts := partsOf(rd, v); conventional && parts != nil {
		for part := range parts {
			b.work.Reset()
			part.Duration(&b.work)
			i := b.metric(name, unit, v, conventional)
			d := b.metrics[i].Data.(metricdata.ExponentialHistogram[float64])
			set := attribute.NewSet(append(attrs[:len(attrs):len(attrs)], partAttributes(rd.Kind, part)...)...)
			d.DataPoints = append(d.DataPoints, exponential(&b.work, b.producer.start, b.now, set))
			b.metrics[i].Data = d
		}
		return
	}
	i := b.metric(name, unit, v, conventional)
	set := attribute.NewSet(attrs...)
	switch d := b.metrics[i].Data.(type) {
	case metricdata.Sum[float64]:
		d.DataPoints = append(d.DataPoints, b.point(v.Number, set))
		b.metrics[i].Data = d
	case metricdata.Gauge[float64]:
		d.DataPoints = append(d.DataPoints, b.point(v.Number, set))
		b.metrics[i].Data = d
	case metricdata.ExponentialHistogram[float64]:
		d.DataPoints = append(d.DataPoints, exponential(v.Snapshot, b.producer.start, b.now, set))
		b.metrics[i].Data = d
	}
}

func (b *batch) point(x float64, set attribute.Set) metricdata.DataPoint[float64] {
	return metricdata.DataPoint[float64]{Attributes: set, StartTime: b.producer.start, Time: b.now, Value: x}
}

// empty returns what points of a kind go into. The semantic conventions have counters that
// go up and down where others have gauges.
func empty(k observe.Kind, upDown bool) metricdata.Aggregation {
	switch {
	case k == observe.Distribution:
		return metricdata.ExponentialHistogram[float64]{Temporality: metricdata.CumulativeTemporality}
	case k == observe.Counter, upDown:
		return metricdata.Sum[float64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: k == observe.Counter}
	}
	return metricdata.Gauge[float64]{}
}

// named returns name, unit and attributes of a value, and whether they are those of the
// semantic conventions.
func (p *Producer) named(rd *observe.Reading, v *observe.Value) (name, unit string, attrs []attribute.KeyValue, conventional bool) {
	if c, attrs := p.convention(rd, v); c != nil {
		return c.name, c.unit, attrs, true
	}
	attrs = []attribute.KeyValue{attribute.String("name", rd.Name)}
	if v.Reason != "" {
		attrs = append(attrs, attribute.String("reason", v.Reason))
	}
	kind := rd.Kind
	if rest, ok := strings.CutPrefix(kind, "poundlock_"); ok {
		kind = "poundlock." + rest
	}
	return kind + "." + strings.TrimSuffix(v.Name, "_ns"), unitOf(v.Field), attrs, false
}

func unitOf(f *observe.Field) string {
	switch f.Unit {
	case observe.Seconds, observe.Timestamp:
		return "s"
	case observe.Bytes:
		return "By"
	case observe.Ratio:
		return "1"
	}
	return "{" + f.Name + "}" // what is counted, as an annotation
}
