package jetstream

import (
	"fmt"
	"log/slog"

	"github.com/poundlock/poundlock/internal/describe"
)

// Stats is a snapshot of what a [Worker] has done. Counters count messages unless
// they say otherwise. In every snapshot
//
//	Fetched = Acked + Failed + Terminated + DeadLettered + Returned + Lost + Unconfirmed + Abandoned + Waiting + Running + Acking
type Stats struct {
	Name string `json:"name,omitempty"` // Config.Name

	Fetched      uint64 `json:"fetched"`       // taken from the consumer
	Redelivered  uint64 `json:"redelivered"`   // of Fetched: delivered before, to whomever
	Acked        uint64 `json:"acked"`         // handled, and the server has the acknowledgement
	Failed       uint64 `json:"failed"`        // handed back after an error
	Terminated   uint64 `json:"terminated"`    // given up, without a DeadLetter
	DeadLettered uint64 `json:"dead_lettered"` // given up, and stored under DeadLetter
	Returned     uint64 `json:"returned"`      // handed back by Shutdown, not started
	Lost         uint64 `json:"lost"`          // the server had heard nothing of them for AckWait: others may have them
	Unconfirmed  uint64 `json:"unconfirmed"`   // handled, but the acknowledgement may not have arrived
	Abandoned    uint64 `json:"abandoned"`     // still running when Shutdown gave up

	Calls       uint64 `json:"calls"`        // of the handler
	Panics      uint64 `json:"panics"`       // in the handler and in other functions of Config
	AckBatches  uint64 `json:"ack_batches"`  // round trips that acknowledged, further attempts not counted
	Heartbeats  uint64 `json:"heartbeats"`   // sent, one per message
	FetchErrors uint64 `json:"fetch_errors"` // requests for messages that failed

	Waiting int `json:"waiting"` // held ahead
	Running int `json:"running"` // in the handler
	Acking  int `json:"acking"`  // handled, and the server is being told

	Wait    Latency `json:"wait"`     // from arrival to the call of the handler
	RunTime Latency `json:"run_time"` // of a message, in the handler
}

// Stats returns a consistent snapshot.
func (w *Worker) Stats() Stats {
	calls, acks := w.exec.calls(), w.acks.batch.Stats().Batches // first: each has a message that was fetched before
	s := w.ledger.stats()
	s.Name, s.Calls, s.AckBatches = w.cfg.Name, calls, acks
	s.Panics, s.Heartbeats, s.FetchErrors = w.panics.Load(), w.heartbeats.Load(), w.fetchErrors.Load()
	return s
}

func (l *ledger) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{
		Fetched: l.fetched, Redelivered: l.again,
		Acked: l.ends[endAcked], Failed: l.ends[endFailed], Terminated: l.ends[endTerminated],
		DeadLettered: l.ends[endDeadLettered], Returned: l.ends[endReturned], Lost: l.ends[endLost],
		Unconfirmed: l.ends[endUnconfirmed], Abandoned: l.ends[endAbandoned],
		Waiting: l.by[heldWaiting], Running: l.by[heldRunning], Acking: l.by[heldAcking],
		Wait: l.waited.Latency(), RunTime: l.ran.Latency(),
	}
}

// String returns the figures in a line.
func (s Stats) String() string {
	name := "worker"
	if s.Name != "" {
		name = s.Name
	}
	return fmt.Sprintf("%s: %s fetched (%s again), %s acked in %s round trips, %d waiting, %d running, %d failed, %d given up, %d lost, %d panics; wait %s; run %s",
		name, describe.Count(s.Fetched), describe.Count(s.Redelivered), describe.Count(s.Acked), describe.Count(s.AckBatches),
		s.Waiting, s.Running, s.Failed, s.Terminated+s.DeadLettered, s.Lost, s.Panics, describe.Latency(s.Wait), describe.Latency(s.RunTime))
}

// LogValue returns the fields that are not zero.
func (s Stats) LogValue() slog.Value { return describe.LogValue(s) }
