package prometheus

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/poundlock/poundlock/observe"
)

// Config says how the metrics look. The zero value is good.
type Config struct {
	// Bounds are the upper bounds of classic buckets, in ascending order. Nil:
	// observe.DefaultBounds. Empty: none, which leaves native buckets.
	Bounds []time.Duration

	// NoNative leaves out native buckets.
	NoNative bool
}

// New returns a collector that reads the registry at each scrape. It is an
// unchecked collector: what it has is known only then. A nil registry panics.
func New(r *observe.Registry, cfg Config) prometheus.Collector {
	if r == nil {
		panic("prometheus: nil Registry")
	}
	if cfg.Bounds == nil {
		cfg.Bounds = observe.DefaultBounds()
	}
	return &collector{registry: r, cfg: cfg}
}

type collector struct {
	registry *observe.Registry
	cfg      Config

	mu    sync.Mutex
	descs map[*observe.Field]*prometheus.Desc // of the last scrape; guarded by mu; a map that was read is not written again
}

// Describe sends nothing: the collector is unchecked.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of all sources that could be read.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	last := c.descs
	c.mu.Unlock()
	used := make(map[*observe.Field]*prometheus.Desc, len(last))
	for rd := range c.registry.All(context.Background()) {
		for i := range rd.Values {
			v := &rd.Values[i]
			d := used[v.Field]
			if d == nil {
				if d = last[v.Field]; d == nil {
					d = describe(rd.Kind, v.Field)
				}
				used[v.Field] = d
			}
			out <- c.metric(d, rd.Name, v)
		}
	}
	c.mu.Lock()
	c.descs = used
	c.mu.Unlock()
}

func describe(kind string, f *observe.Field) *prometheus.Desc {
	labels := []string{"name"}
	if f.Reason != "" {
		labels = append(labels, "reason")
	}
	return prometheus.NewDesc(kind+"_"+f.Metric, f.Help, labels, nil)
}

func (c *collector) metric(d *prometheus.Desc, name string, v *observe.Value) prometheus.Metric {
	labels := []string{name}
	if v.Reason != "" {
		labels = append(labels, v.Reason)
	}
	switch {
	case v.Kind == observe.Counter:
		return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v.Number, labels...)
	case v.Kind == observe.Gauge:
		return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v.Number, labels...)
	case v.Snapshot != nil:
		return newHistogram(d, labels, v.Snapshot, c.cfg)
	default:
		return newSummary(d, labels, v.Latency)
	}
}
