package observe

import (
	"fmt"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/describe"
)

// Rule is what a [Watcher] looks for.
type Rule struct {
	// Name stands in the log and in the names of files. It is required.
	Name string

	// When says what is wrong with a sample, or "". One goroutine calls it, for every
	// sample, so it may remember things from call to call. Nil: only [Watcher.Report]
	// breaks the rule.
	When func(*Sample) string

	// For is how long When must find something at every sample. 0: once is enough.
	For time.Duration

	// CoolDown is how long the rule is silent after it was broken. 0: 10 min.
	CoolDown time.Duration

	// Take says what is captured. Nil: [DefaultProfiles]. Empty: nothing.
	Take []Profile
}

// P99Above returns a When that finds distributions whose 99th percentile over the
// watcher's Window is above a limit.
//
// It looks at the source of a kind and a name, or at all sources of the kind if name is
// "", and there at the field with a key. A key is a field's JSON name, such as "queue_wait",
// or that of a struct of counters, a slash and the reason, such as "discards/full".
// Kinds and keys are in docs/metrics.md, and on the page of observe/debug. A kind,
// name or key that does not exist is no error, as it may come later: it finds nothing.
func P99Above(kind, name, key string, limit time.Duration) func(*Sample) string {
	return each(kind, name, key, func(p *Point) string {
		if p.Window == nil || p.Window.Count == 0 || p.Window.P99 <= limit {
			return ""
		}
		return "p99 " + describe.Duration(p.Window.P99) + " of " + describe.Count(p.Window.Count)
	})
}

// RateAbove returns a When that finds counters, and counts of distributions, that
// grow by more than so many per second. The arguments are as those of [P99Above].
func RateAbove(kind, name, key string, perSecond float64) func(*Sample) string {
	return each(kind, name, key, func(p *Point) string {
		if p.Rate <= perSecond {
			return ""
		}
		return rounded(p.Rate) + "/s"
	})
}

// ValueAbove returns a When that finds values above a limit, in the unit of the
// metric. The arguments are as those of [P99Above].
func ValueAbove(kind, name, key string, limit float64) func(*Sample) string {
	return each(kind, name, key, func(p *Point) string {
		if p.Number <= limit {
			return ""
		}
		return rounded(p.Number)
	})
}

func each(kind, name, key string, wrong func(*Point) string) func(*Sample) string {
	return func(s *Sample) string {
		var found []string
		for in, p := range s.Points(kind, name, key) {
			if w := wrong(p); w != "" {
				found = append(found, fmt.Sprintf("%s %s: %s %s", in.Kind, in.Name, key, w))
			}
		}
		return strings.Join(found, "; ")
	}
}

// GCShareAbove returns a When that finds garbage collection to take more than a
// share of the CPU. It needs a [Runtime] in the registry.
func GCShareAbove(share float64) func(*Sample) string {
	return func(s *Sample) string {
		for in, gc := range s.Points("poundlock_runtime", "", "gc_cpu_time_ns") {
			cpu := in.Point("cpu_time_ns")
			if cpu == nil || cpu.Rate <= 0 { // no collection in between
				return ""
			}
			if x := gc.Rate / cpu.Rate; x > share {
				return fmt.Sprintf("garbage collection takes %s of the CPU", percent(x))
			}
		}
		return ""
	}
}

// LeaksFound returns a When that finds what a [LeakWatch] finds. It needs no [Runtime] in
// the registry. Leave the rule's For at 0: a leak is found in one sample, not in those
// that follow.
func LeaksFound(w *LeakWatch) func(*Sample) string {
	var rt Runtime
	return func(s *Sample) string {
		var found []string
		for _, l := range w.Observe(rt.Stats(), s.At) {
			found = append(found, l.String())
		}
		return strings.Join(found, "; ")
	}
}
