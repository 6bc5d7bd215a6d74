package connpool

import (
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// Latency summarises a set of durations: count, mean, quantiles within 3.2 %, and
// the exact maximum.
type Latency = stats.Latency

// Stats is what a pool has done and is doing. Counters only grow and are exact
// while no call is under way; the gauges are of one moment: Open = Idle + InUse +
// Busy + Dialing + Closing. Always Acquires = Hits + Misses, and Closed is the sum
// of the counts by reason.
//
// Reading them takes the pool's lock for about 1 µs plus 1 ns per connection; it
// costs borrowers nothing.
type Stats struct {
	Name string `json:"name,omitempty"` // Config.Name

	Acquires    uint64 `json:"acquires"`    // loans
	Hits        uint64 `json:"hits"`        // loans of a connection that was in the pool
	Misses      uint64 `json:"misses"`      // loans that went with a dial's result to a waiter
	Waits       uint64 `json:"waits"`       // calls that had to wait
	Handoffs    uint64 `json:"handoffs"`    // loans that passed a returned or checked connection to a waiter
	Undelivered uint64 `json:"undelivered"` // loans whose waiter's ctx ended at that moment; taken back at once
	Canceled    uint64 `json:"canceled"`    // calls that ended because their ctx was cancelled
	Timeouts    uint64 `json:"timeouts"`    // calls that ended because their ctx's deadline passed
	Rejected    uint64 `json:"rejected"`    // calls that got ErrFull
	NotReady    uint64 `json:"not_ready"`   // TryAcquires that found nothing idle
	Unused      uint64 `json:"unused"`      // loans that ended by ReleaseUnused
	Retries     uint64 `json:"retries"`     // functions that Do ran again (RetryBroken)

	// WaitTotal is the sum of what calls waited, with or without success. WaitTime is
	// what calls waited: the first 64, then one in eight, which counts for eight.
	WaitTotal time.Duration `json:"wait_total_ns"`
	WaitTime  Latency       `json:"wait_time"`
	DialTime  Latency       `json:"dial_time"` // how long dials took
	// UseTime is how long loans lasted that ended: of each connection the first, and then one
	// in 256, which counts for as many.
	UseTime Latency `json:"use_time"`

	Dials         uint64 `json:"dials"`          // dials that ended, with or without success
	DialErrors    uint64 `json:"dial_errors"`    // dials that failed
	Checks        uint64 `json:"checks"`         // checks that ended
	CheckFailures uint64 `json:"check_failures"` // checks and resets that failed

	Closed   uint64       `json:"closed"`    // connections that the pool closed or is closing
	ClosedBy ReasonCounts `json:"closed_by"` // the same by reason
	Hijacked uint64       `json:"hijacked"`  // connections taken out by Hijack
	Leaked   uint64       `json:"leaked"`    // loans that lasted longer than LeakAfter
	Panics   uint64       `json:"panics"`    // panics and Goexits of user functions

	MaxOpen int `json:"max_open"` // the limit
	Open    int `json:"open"`     // slots in use
	Idle    int `json:"idle"`     // connections ready, or ready after a check
	InUse   int `json:"in_use"`   // connections on loan
	Busy    int `json:"busy"`     // connections in Check or Reset
	Dialing int `json:"dialing"`  // dials under way
	Closing int `json:"closing"`  // connections in Close
	Waiting int `json:"waiting"`  // calls that wait

	Breaker      BreakerState `json:"breaker"`       // the circuit breaker over dials
	DialFailures int          `json:"dial_failures"` // dials that failed in a row, up to now
	Paused       bool         `json:"paused"`        // between Pause and Resume

	HitRate     float64 `json:"hit_rate"`    // Hits / Acquires, 0..1
	Utilization float64 `json:"utilization"` // InUse / MaxOpen, 0..1 (more after a Resize to less)
}

// ReasonCounts counts closed connections by reason.
type ReasonCounts struct {
	MaxIdle  uint64 `json:"max_idle"`  // see ByMaxIdle
	IdleTime uint64 `json:"idle_time"` // see ByIdleTime
	Lifetime uint64 `json:"lifetime"`  // see ByLifetime
	MaxUses  uint64 `json:"max_uses"`  // see ByMaxUses
	Check    uint64 `json:"check"`     // see ByCheck
	Destroy  uint64 `json:"destroy"`   // see ByDestroy
	Reset    uint64 `json:"reset"`     // see ByReset
	Resize   uint64 `json:"resize"`    // see ByResize
	Evict    uint64 `json:"evict"`     // see ByEvict
	KeyLimit uint64 `json:"key_limit"` // see ByKeyLimit
	Close    uint64 `json:"close"`     // see ByClose
}

// books are the counters that are kept under Pool.mu.
type books struct {
	misses, undelivered                  uint64
	rejected, notReady, hijacked, leaked uint64
	dials, dialErrors                    uint64
	canceled, timeouts                   uint64
	checks, checkFailures                uint64
	warms, unused                        uint64
}

// Stats returns the pool's statistics. It may be called at any time, after Close too.
func (p *Pool[C]) Stats() Stats {
	var t Stats
	p.times.fill(&t) // before the counters: never more waits are timed than counted
	s := p.counters()
	s.WaitTime, s.DialTime, s.UseTime = t.WaitTime, t.DialTime, t.UseTime
	return s
}

// Histograms yields the distributions behind the Latency fields of Stats, under
// their JSON names, each as a function that adds it to a snapshot. Unlike a Latency
// they can be summed over pools and taken for a window of time. It may be called at
// any time, after Close too.
func (p *Pool[C]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return p.times.all()
}

// String describes what there is to see, in a line or two.
func (s Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%d of %d open (%d idle, %d in use, %d busy, %d dialing, %d closing), %d waiting",
		prefix(s.Name), s.Open, s.MaxOpen, s.Idle, s.InUse, s.Busy, s.Dialing, s.Closing, s.Waiting)
	if s.Paused {
		b.WriteString(", paused")
	}
	if s.Breaker != BreakerClosed {
		fmt.Fprintf(&b, ", breaker %v", s.Breaker)
	}
	fmt.Fprintf(&b, "\n%s loans (%s hits), waits %s, dials %s (%s failed)", describe.Count(s.Acquires),
		describe.Percent(s.HitRate), describe.Latency(s.WaitTime), describe.Count(s.Dials), describe.Count(s.DialErrors))
	if failed := s.Timeouts + s.Canceled + s.Rejected; failed > 0 {
		fmt.Fprintf(&b, ", calls failed: %s timeouts, %s canceled, %s rejected",
			describe.Count(s.Timeouts), describe.Count(s.Canceled), describe.Count(s.Rejected))
	}
	for _, c := range []struct {
		n    uint64
		what string
	}{{s.Leaked, "leaked"}, {s.Panics, "panics"}, {s.CheckFailures, "check failures"}} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %s %s", describe.Count(c.n), c.what)
		}
	}
	return b.String()
}

// LogValue groups what is not zero, for log/slog.
func (s Stats) LogValue() slog.Value { return describe.LogValue(s) }

// counters returns the statistics without the latencies.
func (p *Pool[C]) counters() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := &p.core
	u, c := k.usage(), p.roster.census()
	s := Stats{
		Name:  p.cfg.Name,
		Waits: k.waiters.waits, Handoffs: k.waiters.handoffs, Waiting: k.waiters.n, Paused: k.waiters.paused,
		Panics: p.functions.panics.Load(), Retries: p.retries.Load(), WaitTotal: time.Duration(p.times.waitTotal.Load()),
		Acquires: c.uses, Idle: c.idle, InUse: c.lent, Busy: c.held,
		MaxOpen: k.limits.maxOpen, Open: u.open(), Dialing: u.dialing, Closing: u.closing,
		Breaker: k.dialer.state, DialFailures: k.dialer.failures,
	}
	k.n.fill(&s)
	k.closing.fill(&s)
	s.derive()
	return s
}

// fill puts the counters into s.
func (n *books) fill(s *Stats) {
	s.Misses, s.Undelivered, s.Rejected, s.NotReady = n.misses, n.undelivered, n.rejected, n.notReady
	s.Canceled, s.Timeouts, s.Unused = n.canceled, n.timeouts, n.unused
	s.Dials, s.DialErrors, s.Checks, s.CheckFailures = n.dials, n.dialErrors, n.checks, n.checkFailures
	s.Hijacked, s.Leaked = n.hijacked, n.leaked
}

// derive fills in what follows from the rest.
func (s *Stats) derive() {
	s.Hits = s.Acquires - s.Misses
	s.HitRate = stats.Ratio(s.Hits, s.Acquires)
	s.Utilization = stats.Ratio(uint64(s.InUse), uint64(s.MaxOpen))
}
