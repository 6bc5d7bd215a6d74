package compare

import (
	"testing"

	"github.com/poundlock/poundlock/internal/stats"
)

// ReportLatency attaches the quantiles of h to the benchmark's result as p50-ns,
// p99-ns and p999-ns.
func ReportLatency(b *testing.B, h *stats.Histogram) {
	l := h.Latency()
	b.ReportMetric(float64(l.P50), "p50-ns")
	b.ReportMetric(float64(l.P99), "p99-ns")
	b.ReportMetric(float64(l.P999), "p999-ns")
}
