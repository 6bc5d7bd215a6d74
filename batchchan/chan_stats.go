package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// ChanStats is a snapshot of what passed through a [Chan]. Sent and Received
// cost nothing to count: they are the ring's own positions.
type ChanStats struct {
	Name string `json:"name,omitempty"` // a Chan has none: always ""

	Sent     uint64 `json:"sent"`     // items
	Received uint64 `json:"received"` // items
	Len      int    `json:"len"`      // sent and not received, held by a C included
	Cap      int    `json:"cap"`      // room for items
	// HighWater is the largest length seen: Cap as soon as a sender found it
	// full, and below that sampled at about one in 64 sends.
	HighWater int  `json:"high_water"`
	Closed    bool `json:"closed"` // Close was called

	SendWaits        uint64        `json:"send_waits"`        // sends that had to park for room
	RecvWaits        uint64        `json:"recv_waits"`        // receives that had to park for an item
	SendWaitTime     time.Duration `json:"send_wait_time_ns"` // how long they were parked, all together
	RecvWaitTime     time.Duration `json:"recv_wait_time_ns"` // how long they were parked, all together
	SendersWaiting   int           `json:"senders_waiting"`   // parked now
	ReceiversWaiting int           `json:"receivers_waiting"` // parked now

	// Wait is how long items were in the Chan, for about one in 64 of them.
	Wait Latency `json:"wait"`

	Uptime time.Duration `json:"uptime_ns"` // since NewChan
}

// Stats returns a snapshot: never more received than sent.
func (c *Chan[T]) Stats() ChanStats {
	s := ChanStats{Cap: c.ring.capacity, HighWater: int(c.ring.high.Load())}
	c.side.mu.lock() // keeps what is held or returned still
	received := c.ring.count(c.ring.head.Load()) - uint64(len(c.side.returned)+c.side.held)
	tail := c.ring.tail.Load()
	c.side.mu.unlock()
	s.Uptime = time.Since(c.ring.base)
	s.Sent, s.Received, s.Closed = c.ring.count(tail), received, tail >= closedBit
	s.Len = int(min(s.Sent-s.Received, uint64(s.Cap)))
	s.HighWater = max(s.HighWater, s.Len)
	s.SendWaits, s.SendWaitTime, s.SendersWaiting = c.side.senders.stats()
	s.RecvWaits, s.RecvWaitTime, s.ReceiversWaiting = c.side.receivers.stats()
	s.Wait = c.ring.wait.Latency()
	return s
}

// Rate returns how many items per second were received between an earlier
// snapshot of the same Chan and this one.
func (s ChanStats) Rate(earlier ChanStats) float64 {
	return stats.Rate(earlier.Received, s.Received, s.Uptime-earlier.Uptime)
}

func (p *parking) stats() (blocked uint64, d time.Duration, waiting int) {
	p.mu.lock()
	defer p.mu.unlock()
	return p.blocked.Load(), p.blockNs, p.n
}
