package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/internal/enum"
	"github.com/poundlock/poundlock/internal/stats"
)

// Config says what a [Monitor] finds bad. The zero value is a sensible default.
type Config struct {
	// SlowWait is the 99th percentile of the wait that is too long. It is known
	// since the pool's start only; so that the past does not count, the window's
	// mean must exceed a tenth of this, too. Default: 50 ms.
	SlowWait time.Duration
	// SlowDial is the mean time of a window's dials that is too long. Default: 1 s.
	SlowDial time.Duration
	// BusyUtilization is the part of MaxOpen in use that is nearly all. Default: 0.9.
	BusyUtilization float64
	// Churn is how many closes, or dials, per loan are too many. Closes for another
	// key's sake count five times. Default: 0.2.
	Churn float64
}

// Severity says how bad a finding is.
type Severity uint8

// The severities, mildest first.
const (
	Notice   Severity = iota // could be better
	Warning                  // users notice
	Critical                 // users fail
)

var severityNames = []string{"notice", "warning", "critical"}

// String returns "notice", "warning" or "critical".
func (s Severity) String() string { return enum.String(s, severityNames) }

// MarshalText makes the severity readable in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Severity) UnmarshalText(text []byte) error { return enum.Parse(s, text, severityNames) }

// Finding is something that lowered the score.
type Finding struct {
	Code     string   `json:"code"`     // stable and short: "timeouts"
	Severity Severity `json:"severity"` // how bad it is
	Cost     int      `json:"cost"`     // points taken off the score
	What     string   `json:"what"`     // what was seen, with figures
	Advice   string   `json:"advice"`   // what to do about it
}

// Report is what a [Monitor] found in one window: the time between two looks.
type Report struct {
	Name     string        `json:"name"`      // the pool's: Config.Name
	Window   time.Duration `json:"window_ns"` // 0: the first look, which has nothing to compare with
	Score    int           `json:"score"`     // 0..100; 100: nothing found
	Findings []Finding     `json:"findings"`  // the most costly first

	Acquires  uint64  `json:"acquires"`   // loans in the window
	PerSecond float64 `json:"per_second"` // loans per second
	HitRate   float64 `json:"hit_rate"`   // 0..1; 0 without loans
	WaitRate  float64 `json:"wait_rate"`  // calls that waited, of all calls, 0..1
	FailRate  float64 `json:"fail_rate"`  // calls that failed, of all calls, 0..1
}

// String returns the report in a few lines of text.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool %q: %d of 100 over %v (%d loans, %.1f/s)", r.Name, r.Score, r.Window, r.Acquires, r.PerSecond)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n%s (-%d): %s; %s", f.Severity, f.Cost, f.What, f.Advice)
	}
	return b.String()
}

// Monitor compares successive readings of one pool's statistics. It is safe for
// concurrent use; make one per pool, with [NewMonitor].
type Monitor struct {
	cfg Config

	mu   sync.Mutex // guards all below
	last connpool.Stats
	at   time.Time
	seen bool
}

// NewMonitor returns a Monitor that has seen nothing. Values of cfg that are not
// positive stand for their defaults.
func NewMonitor(cfg Config) *Monitor {
	if cfg.SlowWait <= 0 {
		cfg.SlowWait = 50 * time.Millisecond
	}
	if cfg.SlowDial <= 0 {
		cfg.SlowDial = time.Second
	}
	if cfg.BusyUtilization <= 0 {
		cfg.BusyUtilization = 0.9
	}
	if cfg.Churn <= 0 {
		cfg.Churn = 0.2
	}
	return &Monitor{cfg: cfg}
}

// Observe reports on the time since the call before, given the pool's statistics
// read at the given time. The first call, and one whose counters are below those of
// the call before (another pool's), only judge the gauges.
func (m *Monitor) Observe(s connpool.Stats, at time.Time) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	var d delta
	if m.seen && s.Acquires >= m.last.Acquires && s.Dials >= m.last.Dials && s.Waits >= m.last.Waits {
		d = since(m.last, s)
		d.window = max(at.Sub(m.at), 0)
	}
	d.now = s
	m.last, m.at, m.seen = s, at, true
	return m.judge(d)
}

// delta is what changed between two readings.
type delta struct {
	now                                            connpool.Stats
	window                                         time.Duration
	acquires, misses, waited, timeouts, rejected   uint64
	dials, dialErrors, checkFailures, closed, leak uint64
	panics, canceled, keyLimit                     uint64
	waitMean, dialMean                             time.Duration // 0: none was timed
}

func since(a, b connpool.Stats) delta {
	sub := func(x, y uint64) uint64 { return x - min(x, y) }
	return delta{
		acquires: sub(b.Acquires, a.Acquires), misses: sub(b.Misses, a.Misses),
		waited: sub(b.Waits, a.Waits), timeouts: sub(b.Timeouts, a.Timeouts),
		rejected: sub(b.Rejected, a.Rejected), dials: sub(b.Dials, a.Dials),
		dialErrors: sub(b.DialErrors, a.DialErrors), checkFailures: sub(b.CheckFailures, a.CheckFailures),
		closed: sub(b.Closed, a.Closed), leak: sub(b.Leaked, a.Leaked),
		panics: sub(b.Panics, a.Panics), canceled: sub(b.Canceled, a.Canceled),
		keyLimit: sub(b.ClosedBy.KeyLimit, a.ClosedBy.KeyLimit),
		waitMean: meanSince(a.WaitTime, b.WaitTime), dialMean: meanSince(a.DialTime, b.DialTime),
	}
}

// meanSince returns the mean of what b has recorded more than a.
func meanSince(a, b connpool.Latency) time.Duration {
	if b.Count <= a.Count {
		return 0
	}
	sum := float64(b.Mean)*float64(b.Count) - float64(a.Mean)*float64(a.Count)
	return time.Duration(max(sum, 0) / float64(b.Count-a.Count))
}

func (m *Monitor) judge(d delta) Report {
	failed := d.timeouts + d.rejected
	calls := d.acquires + failed + d.canceled
	r := Report{
		Name: d.now.Name, Window: d.window, Score: 100, Acquires: d.acquires,
		PerSecond: stats.Rate(0, d.acquires, d.window),
		HitRate:   stats.Ratio(d.acquires-min(d.misses, d.acquires), d.acquires),
		WaitRate:  min(stats.Ratio(d.waited, calls), 1),
		FailRate:  stats.Ratio(failed, calls),
	}
	for _, rule := range rules {
		if f, found := rule(m.cfg, d, r); found {
			r.Score -= f.Cost
			r.Findings = append(r.Findings, f)
		}
	}
	r.Score = max(r.Score, 0)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(b.Cost, a.Cost) })
	return r
}
