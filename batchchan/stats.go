package batchchan

import (
	"math"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// Latency summarises a set of durations: Count, Mean, P50, P90, P99, P999, Max.
type Latency = stats.Latency

// Stats is a snapshot of what an instance has done. Counters only grow and count
// items unless they say otherwise. All are taken under one lock, so
//
//	Accepted = Delivered + DroppedNewest + DroppedOldest + Undelivered + Cancelled + Pending
//	Delivered = Succeeded + Failed + InFlight
//
// hold in every snapshot.
type Stats struct {
	Name string `json:"name,omitempty"` // Config.Name

	Accepted      uint64 `json:"accepted"`       // sends that returned nil
	Delivered     uint64 `json:"delivered"`      // given to the processor or to Recv
	Succeeded     uint64 `json:"succeeded"`      // processed
	Failed        uint64 `json:"failed"`         // failed for good
	DroppedNewest uint64 `json:"dropped_newest"` // by Overflow DropNewest
	DroppedOldest uint64 `json:"dropped_oldest"` // by Overflow DropOldest
	Undelivered   uint64 `json:"undelivered"`    // handed back by Shutdown
	Cancelled     uint64 `json:"cancelled"`      // requests whose Do left before they were delivered (a Caller)
	Rejected      uint64 `json:"rejected"`       // refused with an error; a context that was done beforehand is not counted

	Batches uint64 `json:"batches"` // given to the processor or to Recv
	Retried uint64 `json:"retried"` // calls of the processor after the first of a batch, counted when it is through with the batch
	Panics  uint64 `json:"panics"`  // in the processor and in hooks

	Waits    uint64        `json:"waits"`        // sends that had to wait for room
	WaitTime time.Duration `json:"wait_time_ns"` // that they waited, in all

	// Batches by what cut them. They may exceed Batches by those that wait.
	FlushedSize   uint64 `json:"flushed_size"`
	FlushedLinger uint64 `json:"flushed_linger"`
	FlushedBytes  uint64 `json:"flushed_bytes"`
	FlushedManual uint64 `json:"flushed_manual"`
	FlushedIdle   uint64 `json:"flushed_idle"`
	FlushedClose  uint64 `json:"flushed_close"`

	Pending         int `json:"pending"`           // accepted and not delivered
	PendingBytes    int `json:"pending_bytes"`     // their sizes, where SizeOf is used
	HighWater       int `json:"high_water"`        // most pending, seen when a batch is taken, a sender finds no room, or Stats is called
	InFlight        int `json:"in_flight"`         // items in the processor or not yet released
	InFlightBatches int `json:"in_flight_batches"` // their batches
	Aside           int `json:"aside"`             // those of them that wait for their next attempt without a worker
	Waiting         int `json:"waiting"`           // sends that wait for room

	MeanFill float64 `json:"mean_fill"` // items per delivered batch as a fraction of MaxBatch, 0..1

	// Where MaxBatch is at most 64, up to 8 batches that take less than 1 µs each
	// are timed together and then counted as equal.
	Age        Latency `json:"age"`        // of a batch's first item when the batch was delivered
	Processing Latency `json:"processing"` // of a batch: retries included

	Uptime time.Duration `json:"uptime_ns"` // since the instance was made
}

// Dropped returns how many items the overflow policy dropped.
func (s Stats) Dropped() uint64 { return s.DroppedNewest + s.DroppedOldest }

// Rate returns how many items per second were delivered between an earlier
// snapshot of the same instance and this one.
func (s Stats) Rate(earlier Stats) float64 {
	return stats.Rate(earlier.Delivered, s.Delivered, s.Uptime-earlier.Uptime)
}

func (g *engine[T]) stats() Stats {
	age, proc := g.age.Latency(), g.proc.Latency() // before the counters: never more are timed than counted
	var e effects[T]
	g.mu.lock()
	g.core.settle(&e)
	n := g.core.n
	s := Stats{
		Pending:         g.core.backlog.pending(),
		PendingBytes:    g.core.backlog.pendingBytes(),
		InFlight:        g.core.inFlightN,
		InFlightBatches: g.core.inFlight,
		Waiting:         g.core.waiters.len(),
		Aside:           len(g.core.later.heap),
		Accepted:        n.cut + n.direct + uint64(g.core.backlog.filling()),
		Uptime:          g.now(),
	}
	for _, l := range g.core.lanes {
		n := l.len()
		s.Pending += n
		s.Accepted += uint64(n)
	}
	if s.PendingBytes < 0 { // more than an int holds
		s.PendingBytes = math.MaxInt
	}
	g.unlock(&e)
	s.fill(&n, g.cfg.Name, g.hookPanics.Load(), g.core.maxBatch)
	s.Age, s.Processing = age, proc
	return s
}

// fill sets what comes from the plain counters.
func (s *Stats) fill(n *counts, name string, hookPanics uint64, maxBatch int) {
	s.Name = name
	s.Delivered, s.Succeeded, s.Failed = n.delivered, n.succeeded, n.failed
	s.DroppedNewest, s.DroppedOldest = n.droppedNew, n.droppedOld
	s.Undelivered, s.Cancelled, s.Rejected = n.undelivered, n.cancelled, n.rejected
	s.Batches, s.Retried, s.Panics = n.batches, n.retried, n.panics+hookPanics
	s.Waits, s.WaitTime = n.blocked, n.blockedTime
	s.FlushedSize, s.FlushedLinger, s.FlushedBytes = n.reasons[BySize], n.reasons[ByLinger], n.reasons[ByBytes]
	s.FlushedManual, s.FlushedIdle, s.FlushedClose = n.reasons[ByManual], n.reasons[ByIdle], n.reasons[ByClose]
	s.HighWater = max(n.highWater, s.Pending)
	s.MeanFill = stats.Ratio(n.delivered, n.batches*uint64(maxBatch))
}
