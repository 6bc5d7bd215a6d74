package workerpool

import (
	"fmt"
	"iter"
	"log/slog"
	"strings"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// String returns two or three readable lines.
func (s Stats) String() string {
	var b strings.Builder
	if s.Name != "" {
		fmt.Fprintf(&b, "%s: ", s.Name)
	}
	fmt.Fprintf(&b, "%d of %d workers active, at most %d (%d ever); %d queued, %d waiting for room\n",
		s.Active, s.Workers, s.MaxWorkers, s.HighWater, s.Queued, s.Waiters)
	fmt.Fprintf(&b, "submitted %s, completed %s", describe.Count(s.Submitted), describe.Count(s.Completed))
	for _, c := range []struct {
		what string
		n    uint64
	}{
		{"failed", s.Failed},
		{"panics", s.Panics},
		{"timed out", s.Timeouts + s.RunTimeouts},
		{"canceled", s.Canceled},
		{"dropped", s.Dropped},
		{"rejected", s.Rejected},
		{"run by callers", s.CallerRan},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %s %s", c.what, describe.Count(c.n))
		}
	}
	if s.QueueWait.Count > 0 {
		fmt.Fprintf(&b, "\nqueue wait %s; run time %s", describe.Latency(s.QueueWait), describe.Latency(s.RunTime))
	}
	return b.String()
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s Stats) LogValue() slog.Value { return describe.LogValue(s) }

// String returns one readable line.
func (s ViewStats) String() string {
	name := ""
	if s.Name != "" {
		name = s.Name + ": "
	}
	return fmt.Sprintf("%s%d of %d running, %d queued, %d waiting for room, %s ended, %s dropped",
		name, s.Running, s.Limit, s.Queued, s.Waiters, describe.Count(s.Ended), describe.Count(s.Dropped))
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s ViewStats) LogValue() slog.Value { return describe.LogValue(s) }

// Histograms yields the distributions behind the Latency fields of Stats, under
// their JSON names, each as a function that adds it to a snapshot. Unlike a Latency
// they can be summed over pools and taken for a window of time. They may be called at
// any time, also after Close. With Timing Off there is none.
func (p *Pool) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	if p == nil || p.c == nil {
		return func(func(string, func(*stats.Snapshot)) bool) {}
	}
	return p.c.books.histograms
}

// Histograms is [Pool.Histograms].
func (p *FuncPool[T]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	if p == nil || p.c == nil {
		return func(func(string, func(*stats.Snapshot)) bool) {}
	}
	return p.c.books.histograms
}

func (b *books) histograms(yield func(string, func(*stats.Snapshot)) bool) {
	if b.wait == nil {
		return
	}
	_ = yield("queue_wait", b.wait.AddTo) && yield("run_time", b.run.AddTo)
}
