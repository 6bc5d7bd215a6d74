package observe

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/enum"
)

// Severity says how bad a [Hint] is.
type Severity uint8

const (
	Notice   Severity = iota // could be better
	Warning                  // will hurt
	Critical                 // hurts now
)

var severityNames = []string{"notice", "warning", "critical"}

// String returns "notice", "warning" or "critical".
func (s Severity) String() string { return enum.String(s, severityNames) }

// MarshalText returns what String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Severity) UnmarshalText(text []byte) error { return enum.Parse(s, text, severityNames) }

// Hint says in words why a number of an instrument is bad.
type Hint struct {
	Code     string   `json:"code"`     // stable and short: "queue-full"
	Severity Severity `json:"severity"` // how bad it is
	What     string   `json:"what"`     // what is seen, with figures
	Do       string   `json:"do"`       // what to do about it
}

// Hints returns what is bad about an instrument, the worst first. earlier is the same
// instrument some samples before, or nil; with it Hints sees that waits grow. It
// goes by the names of fields: an instrument with "queued" and "queue_cap" has a queue,
// be it poundlock's or your own.
func Hints(now, earlier *Instrument) []Hint {
	if now.Err != nil {
		return []Hint{{"unreadable", Critical, now.Err.Error(), "see why its Stats method does not answer"}}
	}
	if earlier != nil && (earlier.Err != nil || len(earlier.Points) != len(now.Points)) {
		earlier = nil
	}
	v := view{now, earlier}
	var hints []Hint
	for _, rule := range hintRules {
		if h, ok := rule(v); ok {
			hints = append(hints, h)
		}
	}
	slices.SortStableFunc(hints, func(a, b Hint) int { return cmp.Compare(b.Severity, a.Severity) })
	return hints
}

var hintRules = []func(view) (Hint, bool){
	breakerOpen, queueFull, sendersWait, exhausted, dropped, refused, timedOut, panics, leaked, failing, waitsGrow, slowWaits,
	hitRateLow, contended, gcBusy,
}

// view reads an instrument by the names of its fields.
type view struct{ now, earlier *Instrument }

// number returns the first field that is there.
func (v view) number(keys ...string) (float64, bool) {
	for _, k := range keys {
		if p := v.now.Point(k); p != nil {
			return p.Number, true
		}
	}
	return 0, false
}

// rate returns the sum of the rates of the fields that are there.
func (v view) rate(keys ...string) float64 {
	sum := 0.0
	for i := range v.now.Points {
		if p := &v.now.Points[i]; slices.Contains(keys, p.Name) {
			sum += p.Rate
		}
	}
	return sum
}

// work returns how many things per second the instrument does.
func (v view) work() float64 {
	if p := Headline(v.now).Rate; p != nil {
		return p.Rate
	}
	return 0
}

func breakerOpen(v view) (Hint, bool) {
	state, ok := v.number("breaker")
	return Hint{
		"breaker-open", Critical, "the circuit breaker is not closed: dials fail",
		"see why the server cannot be reached; it is tried again by itself",
	}, ok && state != 0
}

func queueFull(v view) (Hint, bool) {
	n, ok := v.number("queued", "pending", "len")
	most, bounded := v.number("queue_cap", "max_pending", "cap")
	h := Hint{
		"queue-full", Warning, fmt.Sprintf("%.0f of %.0f places in the queue are taken", n, most),
		"take work out faster (more workers, larger batches), or let less in",
	}
	if n >= most {
		h.Severity = Critical
	}
	return h, ok && bounded && most > 1 && n >= 0.9*most
}

// sendersWait is queueFull for what does not say how much it holds at most: batchchan's
// senders wait only while it is full.
func sendersWait(v view) (Hint, bool) {
	pending, ok := v.number("pending")
	_, bounded := v.number("max_pending")
	waiting, _ := v.number("waiting")
	return Hint{
		"queue-full", Warning, fmt.Sprintf("%.0f senders wait for room: the queue is full, with %.0f pending", waiting, pending),
		"process faster (more workers, larger batches), or let less in",
	}, ok && !bounded && waiting > 0
}

func exhausted(v view) (Hint, bool) {
	inUse, ok := v.number("in_use")
	most, bounded := v.number("max_open", "max_open_connections")
	waiting, _ := v.number("waiting")
	waits := fmt.Sprintf("%.0f calls wait", waiting)
	if n := v.rate("wait_count"); n > 0 { // sql.DB does not say how many wait
		waiting, waits = n, rounded(n)+" calls per second have to wait"
	}
	return Hint{
		"exhausted", Critical, fmt.Sprintf("all %.0f connections are in use and %s", most, waits),
		"hold connections for shorter, or raise MaxOpen (of sql.DB: SetMaxOpenConns) if the server allows it",
	}, ok && bounded && most > 0 && inUse >= most && waiting > 0
}

func dropped(v view) (Hint, bool) {
	n := v.rate("dropped", "dropped_newest", "dropped_oldest")
	return Hint{
		"drops", Critical, rounded(n) + " accepted things are dropped per second",
		"drain faster, or choose an Overflow that makes senders wait",
	}, n > 0
}

func refused(v view) (Hint, bool) {
	n := v.rate("rejected")
	if v.now.Point("discards") != nil { // objpool's Rejected is a Reset that said no
		n = 0
	}
	h := Hint{
		"rejected", Warning, rounded(n) + " calls are refused per second for want of room",
		"add capacity, or let callers wait (Overflow, MaxWaiters)",
	}
	if n > 0.05*v.work() {
		h.Severity = Critical
	}
	return h, n > 0
}

func timedOut(v view) (Hint, bool) {
	n := v.rate("timeouts")
	h := Hint{
		"timeouts", Warning, rounded(n) + " calls run into their deadline per second",
		"look at what they wait for: the wait's p99 against the deadline",
	}
	if n > 0.05*v.work() {
		h.Severity = Critical
	}
	return h, n > 0
}

func panics(v view) (Hint, bool) {
	n := v.rate("panics", "handler_panics")
	return Hint{
		"panics", Critical, rounded(n) + " functions panic per second",
		"see the log: every panic has its stack",
	}, n > 0
}

func leaked(v view) (Hint, bool) {
	n := v.rate("leaked")
	return Hint{
		"leaks", Critical, rounded(n) + " loans per second are not given back in time",
		"release what was acquired on every path (defer); the leak report has the stack of the loan",
	}, n > 0
}

func failing(v view) (Hint, bool) {
	n, work := v.rate("failed", "errors", "dial_errors", "check_failures"), v.work()
	h := Hint{
		"failures", Warning, fmt.Sprintf("%s fail per second, of %s", rounded(n), rounded(work)),
		"see the errors that the functions return",
	}
	if n > 0.5*work {
		h.Severity = Critical
	}
	return h, n > 0 && n > 0.01*work
}

// waitsGrow compares with some samples earlier: a wait that doubled and is not small.
func waitsGrow(v view) (Hint, bool) {
	p := Headline(v.now).Wait
	if p == nil || p.Window == nil || v.earlier == nil || p.Window.Count < 10 {
		return Hint{}, false
	}
	before := v.earlier.Point(p.Key())
	if before == nil || before.Window == nil || before.Window.Count < 10 {
		return Hint{}, false
	}
	return Hint{
		"waits-grow", Warning,
		"the p99 of " + p.Name + " grew from " + describe.Duration(before.Window.P99) + " to " + describe.Duration(p.Window.P99),
		"more comes in than is done: add capacity before the queue is full",
	}, p.Window.P99 > 10*time.Millisecond && p.Window.P99 >= 2*before.Window.P99
}

func slowWaits(v view) (Hint, bool) {
	p := Headline(v.now).Wait
	if p == nil || p.Window == nil || p.Window.Count == 0 {
		return Hint{}, false
	}
	return Hint{
		"slow-waits", Warning, "the p99 of " + p.Name + " is " + describe.Duration(p.Window.P99),
		"add capacity, or hold what others wait for for shorter",
	}, p.Window.P99 >= time.Second
}

func hitRateLow(v view) (Hint, bool) {
	hits, misses := v.rate("hits"), v.rate("misses")
	share := 0.0
	if hits+misses > 0 {
		share = hits / (hits + misses)
	}
	return Hint{
		"hit-rate-low", Notice, fmt.Sprintf("%s of %s gets per second found something (objects or connections)", percent(share), rounded(hits+misses)),
		"raise the pool's bound or its IdleTimeout; if most still miss, the pool is of no use here",
	}, hits+misses >= 10 && share < 0.5
}

func contended(v view) (Hint, bool) {
	contended, acquired := v.rate("contended"), v.rate("acquired")
	if acquired == 0 {
		contended, acquired = v.rate("read_contended", "write_contended"), v.rate("reads", "writes")
	}
	share := 0.0
	if acquired > 0 {
		share = contended / acquired
	}
	return Hint{
		"contended", Notice, fmt.Sprintf("%s of %s acquisitions per second find the lock taken", percent(share), rounded(acquired)),
		"hold it for shorter, or split what it guards",
	}, acquired >= 100 && share > 0.2
}

func gcBusy(v view) (Hint, bool) {
	cpu := v.rate("cpu_time_ns")
	share := 0.0
	if cpu > 0 {
		share = v.rate("gc_cpu_time_ns") / cpu
	}
	return Hint{
		"gc-busy", Warning, fmt.Sprintf("garbage collection takes %s of the CPU", percent(share)),
		"allocate less (see the allocs profile), or raise GOGC with GOMEMLIMIT as a guard",
	}, share > 0.10
}
