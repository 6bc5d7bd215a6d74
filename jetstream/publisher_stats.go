package jetstream

import (
	"fmt"
	"log/slog"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// Latency summarises a set of durations: Count, Mean, P50, P90, P99, P999, Max.
type Latency = stats.Latency

// PublisherStats is a snapshot of what a [Publisher] has done. In every snapshot
//
//	Submitted = Acked + Failed + Cancelled + Returned + Rejected + Pending
type PublisherStats struct {
	Name string `json:"name,omitempty"` // PublisherConfig.Name

	Submitted  uint64 `json:"submitted"`  // messages given to Publish, Send and TrySend
	Acked      uint64 `json:"acked"`      // acknowledged by the server
	Failed     uint64 `json:"failed"`     // failed for good
	Cancelled  uint64 `json:"cancelled"`  // whose Publish left before they were sent
	Returned   uint64 `json:"returned"`   // not acknowledged when Shutdown's ctx ended
	Rejected   uint64 `json:"rejected"`   // never accepted: closed, full, too large, or ctx ended
	Duplicates uint64 `json:"duplicates"` // of Acked: those that the stream already had
	Retried    uint64 `json:"retried"`    // attempts after the first of a message
	Batches    uint64 `json:"batches"`    // sent, those of further attempts not counted
	Panics     uint64 `json:"panics"`     // in OnError

	Pending   int `json:"pending"`    // not settled; those that wait for room are among them
	HighWater int `json:"high_water"` // the most that were pending

	AckTime Latency `json:"ack_time"` // from Publish or Send to acknowledgement
}

// Stats returns a consistent snapshot.
func (p *Publisher) Stats() PublisherStats {
	batches := p.keyed.Stats().Batches
	s := p.box.stats()
	s.Name, s.Batches = p.cfg.Name, batches
	return s
}

// String returns the figures in a line.
func (s PublisherStats) String() string {
	name := "publisher"
	if s.Name != "" {
		name = s.Name
	}
	return fmt.Sprintf("%s: %s submitted, %s acked in %s batches, %d pending, %d failed, %d returned, %d rejected, %d retried; ack %s",
		name, describe.Count(s.Submitted), describe.Count(s.Acked), describe.Count(s.Batches), s.Pending,
		s.Failed, s.Returned, s.Rejected, s.Retried, describe.Latency(s.AckTime))
}

// LogValue returns the fields that are not zero.
func (s PublisherStats) LogValue() slog.Value { return describe.LogValue(s) }

// panicked counts a panic of OnError.
func (o *outbox) panicked() {
	o.mu.Lock()
	o.n.Panics++
	o.mu.Unlock()
}
