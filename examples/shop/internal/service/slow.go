package service

import (
	"fmt"
	"net/http"
	"time"

	"github.com/poundlock/poundlock/connpool/health"
)

// slowQuery is the time from which a statement is filed. A statement is known by its
// name: values are parameters, so there is nothing to normalise.
const slowQuery = 20 * time.Millisecond

func newSlow() *health.Recorder {
	return health.NewRecorder(health.RecorderConfig{Threshold: slowQuery})
}

// serveSlow writes the slow statements, those first that took most time in all, and
// what to do about them.
func serveSlow(rec *health.Recorder) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		calls := rec.Calls()
		if len(calls) == 0 {
			fmt.Fprintf(w, "no statement took %v\n", slowQuery)
		}
		for _, c := range calls {
			fmt.Fprintf(w, "%-16s %6d slow  mean %-9v max %-9v errors %d\n    %s\n", c.Name, c.Count,
				c.Mean.Round(time.Microsecond), c.Max.Round(time.Microsecond), c.Errors, advice(c))
		}
	}
}

// advice says in words what figures like these mostly mean.
func advice(c health.Calls) string {
	switch {
	case c.Errors*2 > c.Count:
		return "most end in errors: the server is down or overloaded, or the timeout is too short"
	case c.Max > 20*c.Mean:
		return "a few take very long: look for locks (pg_stat_activity.wait_event) and checkpoints"
	case c.Name == "orders.reserve" || c.Name == "products.price":
		return "an update of one row waits for that row: shorten what holds it, or spread the stock over rows"
	case c.Name == "products.load" && c.Mean > 5*slowQuery:
		return "explain (analyze, buffers) it: an index scan of 256 keys should take 5 ms"
	case c.Mean < 2*slowQuery:
		return "about the same time each: the machine is busy; look at its CPU before the statement"
	default:
		return "explain (analyze, buffers) it with the arrays of a real batch"
	}
}
