package connpool

import (
	"cmp"
	"fmt"
	"iter"
	"log/slog"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// KeyedStats is the sum of the [Stats] of all keys, those that vanished included;
// MaxOpen is MaxTotal, or the sum of the keys' where there is none.
type KeyedStats struct {
	Name string `json:"name,omitempty"` // KeyedConfig.Name
	Keys int    `json:"keys"`           // keys that have a pool now
	Stats
}

// String describes what there is to see, in a line or two.
func (s KeyedStats) String() string {
	s.Stats.Name = s.Name
	return fmt.Sprintf("%v\n%d keys", s.Stats, s.Keys)
}

// LogValue groups what is not zero, for log/slog.
func (s KeyedStats) LogValue() slog.Value { return describe.LogValue(s) }

// Histograms yields the distributions behind the Latency fields of Stats, under
// their JSON names, each as a function that adds it to a snapshot.
func (k *Keyed[K, C]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return k.latencies.all()
}

// Stats returns the sum over all keys.
func (k *Keyed[K, C]) Stats() KeyedStats {
	var t Stats
	k.latencies.fill(&t) // before the counters, as in Pool.Stats
	k.mu.RLock()
	sum := KeyedStats{Keys: len(k.pools), Stats: k.gone}
	for _, kp := range k.pools {
		s := kp.pool.counters()
		sum.add(&s)
	}
	k.mu.RUnlock()
	sum.Stats.Name = ""
	sum.Name = cmp.Or(k.cfg.Name, k.cfg.Pool.Name)
	if k.cfg.MaxTotal > 0 {
		sum.MaxOpen = k.cfg.MaxTotal
	}
	sum.WaitTime, sum.DialTime, sum.UseTime = t.WaitTime, t.DialTime, t.UseTime
	sum.derive()
	return sum
}

// KeyStats returns the statistics of one key since it appeared, and false if it is
// not there. WaitTime, DialTime and UseTime are kept for all keys together only.
func (k *Keyed[K, C]) KeyStats(key K) (Stats, bool) {
	kp := k.find(key)
	if kp == nil {
		return Stats{}, false
	}
	return kp.pool.counters(), true
}

// Conns describes the connections of one key; nil if it is not there.
func (k *Keyed[K, C]) Conns(key K) []Info {
	kp := k.find(key)
	if kp == nil {
		return nil
	}
	return kp.pool.Conns()
}

// add adds o's counters and gauges to s. The breaker's state is the worst.
func (s *Stats) add(o *Stats) {
	for _, c := range []struct{ to, from *uint64 }{
		{&s.Acquires, &o.Acquires},
		{&s.Misses, &o.Misses},
		{&s.Waits, &o.Waits},
		{&s.Handoffs, &o.Handoffs},
		{&s.Undelivered, &o.Undelivered},
		{&s.Canceled, &o.Canceled},
		{&s.Timeouts, &o.Timeouts},
		{&s.Rejected, &o.Rejected},
		{&s.NotReady, &o.NotReady},
		{&s.Unused, &o.Unused},
		{&s.Retries, &o.Retries},
		{&s.Dials, &o.Dials},
		{&s.DialErrors, &o.DialErrors},
		{&s.Checks, &o.Checks},
		{&s.CheckFailures, &o.CheckFailures},
		{&s.Closed, &o.Closed},
		{&s.Hijacked, &o.Hijacked},
		{&s.Leaked, &o.Leaked},
		{&s.Panics, &o.Panics},
		{&s.ClosedBy.MaxIdle, &o.ClosedBy.MaxIdle},
		{&s.ClosedBy.IdleTime, &o.ClosedBy.IdleTime},
		{&s.ClosedBy.Lifetime, &o.ClosedBy.Lifetime},
		{&s.ClosedBy.MaxUses, &o.ClosedBy.MaxUses},
		{&s.ClosedBy.Check, &o.ClosedBy.Check},
		{&s.ClosedBy.Destroy, &o.ClosedBy.Destroy},
		{&s.ClosedBy.Reset, &o.ClosedBy.Reset},
		{&s.ClosedBy.Resize, &o.ClosedBy.Resize},
		{&s.ClosedBy.Evict, &o.ClosedBy.Evict},
		{&s.ClosedBy.KeyLimit, &o.ClosedBy.KeyLimit},
		{&s.ClosedBy.Close, &o.ClosedBy.Close},
	} {
		*c.to += *c.from
	}
	for _, g := range []struct{ to, from *int }{
		{&s.MaxOpen, &o.MaxOpen},
		{&s.Open, &o.Open},
		{&s.Idle, &o.Idle},
		{&s.InUse, &o.InUse},
		{&s.Busy, &o.Busy},
		{&s.Dialing, &o.Dialing},
		{&s.Closing, &o.Closing},
		{&s.Waiting, &o.Waiting},
	} {
		*g.to += *g.from
	}
	s.WaitTotal += o.WaitTotal
	s.DialFailures = max(s.DialFailures, o.DialFailures)
	s.Breaker = max(s.Breaker, o.Breaker)
}
