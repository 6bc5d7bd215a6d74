package health

import (
	"fmt"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/internal/stats"
)

// rules are what a Monitor looks for, each on its own.
var rules = []func(Config, delta, Report) (Finding, bool){
	breaker, dialErrors, slowDials, failures, slowWaits, exhausted, checks, leaks, churn, panics,
}

// scaled returns a cost between low and high for a share of 0..1.
func scaled(low, high int, share float64) int {
	return low + int(float64(high-low)*min(max(share, 0), 1))
}

func breaker(_ Config, d delta, _ Report) (Finding, bool) {
	return Finding{
		"breaker", Critical, 60,
		fmt.Sprintf("the circuit breaker is %v after %d failed dials in a row", d.now.Breaker, d.now.DialFailures),
		"see why the server cannot be reached; the pool tries again by itself",
	}, d.now.Breaker != connpool.BreakerClosed
}

func dialErrors(_ Config, d delta, _ Report) (Finding, bool) {
	share := stats.Ratio(d.dialErrors, d.dials)
	f := Finding{
		"dial-errors", Warning, scaled(10, 40, share),
		fmt.Sprintf("%d of %d dials failed", d.dialErrors, d.dials),
		"check the server's address, its limit of connections and its load; set Backoff and Breaker",
	}
	if share > 0.5 {
		f.Severity = Critical
	}
	return f, d.dialErrors > 0
}

func slowDials(c Config, d delta, _ Report) (Finding, bool) {
	return Finding{
		"slow-dials", Notice, 10,
		fmt.Sprintf("a dial takes %v on average", d.dialMean.Round(time.Microsecond)),
		"keep connections open (MinIdle, a longer IdleTimeout), so that callers need not wait for dials",
	}, d.dials > 0 && d.dialMean > c.SlowDial
}

func failures(_ Config, d delta, r Report) (Finding, bool) {
	f := Finding{
		"failed-acquires", Warning, scaled(10, 50, 2*r.FailRate),
		fmt.Sprintf("%d calls timed out and %d were rejected (%.1f %% of all)", d.timeouts, d.rejected, 100*r.FailRate),
		"hold connections for shorter, or raise MaxOpen if the server allows it",
	}
	if r.FailRate > 0.05 {
		f.Severity = Critical
	}
	return f, d.timeouts+d.rejected > 0
}

func slowWaits(c Config, d delta, r Report) (Finding, bool) {
	p99 := d.now.WaitTime.P99
	return Finding{
		"slow-waits", Warning, scaled(5, 25, r.WaitRate),
		fmt.Sprintf("%.0f %% of the calls waited, %v on average; the 99th percentile of waits since the start is %v",
			100*r.WaitRate, d.waitMean.Round(time.Microsecond), p99.Round(time.Microsecond)),
		"raise MaxOpen, or hold connections for shorter",
	}, d.waited > 0 && r.WaitRate > 0.05 && p99 > c.SlowWait && d.waitMean > c.SlowWait/10
}

func exhausted(c Config, d delta, _ Report) (Finding, bool) {
	return Finding{
		"exhausted", Notice, 10,
		fmt.Sprintf("%d of %d connections are on loan and %d calls wait", d.now.InUse, d.now.MaxOpen, d.now.Waiting),
		"a burst that lasts calls for a larger MaxOpen; look for loans that last long in Conns()",
	}, d.now.MaxOpen > 0 && d.now.Utilization >= c.BusyUtilization && d.now.Waiting > 0
}

func checks(_ Config, d delta, _ Report) (Finding, bool) {
	return Finding{
		"check-failures", Warning, scaled(5, 25, stats.Ratio(d.checkFailures, max(d.acquires, 1))),
		fmt.Sprintf("%d checks or resets failed", d.checkFailures),
		"connections die while idle: set IdleTimeout or KeepAlive below the server's or firewall's idle limit",
	}, d.checkFailures > 0
}

func leaks(_ Config, d delta, _ Report) (Finding, bool) {
	return Finding{
		"leaks", Critical, 25,
		fmt.Sprintf("%d loans last longer than LeakAfter", d.leak),
		"release every connection on every path (use Do); LeakStacks shows who has them",
	}, d.leak > 0
}

func churn(c Config, d delta, _ Report) (Finding, bool) {
	share := max(stats.Ratio(d.closed, d.acquires), stats.Ratio(d.dials-min(d.dialErrors, d.dials), d.acquires))
	stolen := stats.Ratio(d.keyLimit, d.acquires)
	what := fmt.Sprintf("%d connections were dialed and %d closed in %d loans (%.2f dials per loan)",
		d.dials, d.closed, d.acquires, stats.Ratio(d.dials, d.acquires))
	advice := "raise MaxIdle, IdleTimeout, MaxLifetime or MaxUses, whichever closes most (Stats.ClosedBy)"
	if d.keyLimit > 0 && 2*d.keyLimit >= d.closed {
		what += fmt.Sprintf(", %d of them because another key needed the slot", d.keyLimit)
		advice = "raise MaxTotal, or lower each key's MaxOpen: the keys in use need more slots than there are, and take them from each other"
	}
	return Finding{"churn", Notice, scaled(5, 20, share), what, advice},
		d.acquires > 0 && d.closed > 10 && (share > c.Churn || 5*stolen > c.Churn)
}

func panics(_ Config, d delta, _ Report) (Finding, bool) {
	return Finding{
		"panics", Critical, 20,
		fmt.Sprintf("%d panics in the functions given to the pool", d.panics),
		"see the errors and hooks: a PanicError has the stack",
	}, d.panics > 0
}
