package jetstream

import (
	"iter"

	"github.com/poundlock/poundlock/internal/stats"
)

// Histograms yields the distributions behind the Latency fields of Stats by their
// JSON names, as functions that add them to a snapshot. It is what package observe
// makes histograms of.
func (w *Worker) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		_ = yield("wait", w.ledger.waited.AddTo) && yield("run_time", w.ledger.ran.AddTo)
	}
}

// Histograms yields the distribution behind PublisherStats' AckTime, as
// [Worker.Histograms].
func (p *Publisher) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		_ = yield("ack_time", p.box.ackTime.AddTo)
	}
}
