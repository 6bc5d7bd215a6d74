package connpool

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// times is the part of a pool that knows how long its waits, dials and loans lasted. It
// needs no lock.
type times struct {
	*latencies              // of a Keyed's pools: those of all together
	waitTotal  atomic.Int64 // nanoseconds
}

// latencies are the distributions behind the Latency fields of Stats.
type latencies struct{ wait, dial, use stats.Histogram }

// The first timeAll waits are in the distribution, then one in timeOneIn, which
// counts for as many. All are in the sum.
const (
	timeAll   = 64
	timeOneIn = 8
)

// waited records the nth wait.
func (t *times) waited(nth uint64, d time.Duration) {
	t.waitTotal.Add(int64(d))
	if nth <= timeAll {
		t.wait.Record(d)
	} else if nth%timeOneIn == 0 {
		t.wait.RecordN(d, timeOneIn)
	}
}

// used records the nth loan of a connection, which is one that is timed.
func (l *latencies) used(nth uint64, d time.Duration) {
	n := uint64(timedOneIn)
	if nth == 1 {
		n = 1
	}
	l.use.RecordN(d, n)
}

// fill puts the latencies into s.
func (l *latencies) fill(s *Stats) {
	s.WaitTime, s.DialTime, s.UseTime = l.wait.Latency(), l.dial.Latency(), l.use.Latency()
}

// all yields the distributions under their JSON names.
func (l *latencies) all() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		_ = yield("wait_time", l.wait.AddTo) && yield("dial_time", l.dial.AddTo) && yield("use_time", l.use.AddTo)
	}
}
