package batchchan

import (
	"fmt"
	"iter"
	"log/slog"
	"strings"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// String describes what there is to see, in a line or two.
func (s Stats) String() string {
	var b strings.Builder
	if s.Name != "" {
		fmt.Fprintf(&b, "%s: ", s.Name)
	}
	fmt.Fprintf(&b, "%d pending, %d in flight, %d waiting\n%s accepted, %s succeeded, %s failed",
		s.Pending, s.InFlight, s.Waiting, describe.Count(s.Accepted), describe.Count(s.Succeeded), describe.Count(s.Failed))
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{s.Retried, "retries"},
		{s.Dropped(), "dropped"},
		{s.Rejected, "rejected"},
		{s.Undelivered, "undelivered"},
		{s.Cancelled, "cancelled"},
		{s.Panics, "panics"},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %s %s", describe.Count(c.n), c.what)
		}
	}
	fmt.Fprintf(&b, "; %s batches %s full, age %s, processing %s",
		describe.Count(s.Batches), describe.Percent(s.MeanFill), describe.Latency(s.Age), describe.Latency(s.Processing))
	return b.String()
}

// LogValue groups what is not zero, for log/slog.
func (s Stats) LogValue() slog.Value { return describe.LogValue(s) }

// String describes what there is to see, in a line or two.
func (s KeyedStats) String() string {
	return fmt.Sprintf("%v; %d keys, %d idle, %d stopped", s.Stats, s.Keys, s.IdleKeys, s.StoppedKeys)
}

// LogValue groups what is not zero, for log/slog.
func (s KeyedStats) LogValue() slog.Value { return describe.LogValue(s) }

// String describes what there is to see, in a line or two.
func (s CallerStats) String() string {
	return fmt.Sprintf("%v; %s merged, %s from the cache", s.Stats, describe.Count(s.Merged), describe.Count(s.CacheHits))
}

// LogValue groups what is not zero, for log/slog.
func (s CallerStats) LogValue() slog.Value { return describe.LogValue(s) }

// String describes what there is to see, in a line.
func (s ChanStats) String() string {
	return fmt.Sprintf("%d of %d, %d senders and %d receivers waiting; %s sent, %s received, wait %s",
		s.Len, s.Cap, s.SendersWaiting, s.ReceiversWaiting, describe.Count(s.Sent), describe.Count(s.Received), describe.Latency(s.Wait))
}

// LogValue groups what is not zero, for log/slog.
func (s ChanStats) LogValue() slog.Value { return describe.LogValue(s) }

func histograms(age, proc *stats.Histogram) iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		_ = yield("age", age.AddTo) && yield("processing", proc.AddTo)
	}
}

// Histograms yields the distributions behind the Latency fields of Stats, under
// their JSON names, each as a function that adds it to a snapshot. Unlike a Latency
// they can be summed over instances and taken for a window of time. It may be called
// at any time, after Close too.
func (b *Batcher[T]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return histograms(&b.g.age, &b.g.proc)
}

// Histograms yields the distributions behind the Latency fields of Stats, as
// [Batcher.Histograms].
func (q *Queue[T]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return histograms(&q.g.age, &q.g.proc)
}

// Histograms yields the distributions behind the Latency fields of Stats, as
// [Batcher.Histograms].
func (p *Pipe[In, Out]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return histograms(&p.g.age, &p.g.proc)
}

// Histograms yields the distributions behind the Latency fields of Stats, as
// [Batcher.Histograms].
func (k *Caller[Req, Res]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return histograms(&k.g.age, &k.g.proc)
}

// Histograms yields the distributions behind the Latency fields of Stats, as
// [Batcher.Histograms].
func (k *Keyed[K, T]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return histograms(&k.k.age, &k.k.proc)
}

// Histograms yields the distribution behind Stats' Wait, as [Batcher.Histograms].
func (c *Chan[T]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) { _ = yield("wait", c.ring.wait.AddTo) }
}
