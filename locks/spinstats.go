package locks

import (
	"fmt"
	"iter"
	"log/slog"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// SpinStats is what a [SpinMutex] knows about itself. Counters are exact when no
// operation is in progress.
type SpinStats struct {
	Name string `json:"name,omitempty"` // as given with SetName

	Acquired uint64 `json:"acquired"` // times the lock was acquired, by whatever method
	Spun     uint64 `json:"spun"`     // of those, after polling only
	Polls    uint64 `json:"polls"`    // looks at the lock by waiters that polled
	Yields   uint64 `json:"yields"`   // times that a waiter let other goroutines run
	Parked   uint64 `json:"parked"`   // waiters that went to sleep, each once
	Handoffs uint64 `json:"handoffs"` // waiters that the lock was kept for, as others had overtaken them for 1 ms or 100 times
	Canceled uint64 `json:"canceled"` // waits ended by a ctx or a timeout

	Locked     bool    `json:"locked"`     // at that moment
	Waiting    int     `json:"waiting"`    // goroutines asleep for the lock
	Contended  uint64  `json:"contended"`  // of Acquired, those that found the lock taken
	Contention float64 `json:"contention"` // Contended by Acquired, 0 to 1

	// Wait summarises the waits of those that slept, from their first sleep until they
	// had the lock or gave up. The clock is not read for any other.
	Wait Latency `json:"wait"`
}

// String is a line for people: what happened, how long it took, what is the case.
func (st SpinStats) String() string {
	name := ""
	if st.Name != "" {
		name = st.Name + ": "
	}
	return fmt.Sprintf("%s%s acquired, contention %s, %s after polling only; wait %s; %d waiting", name, describe.Count(st.Acquired),
		describe.Percent(st.Contention), describe.Count(st.Spun), describe.Latency(st.Wait), st.Waiting)
}

// LogValue is the statistics as a group, without those that are zero.
func (st SpinStats) LogValue() slog.Value { return describe.LogValue(st) }

// SetName labels m in its Stats. It makes room for what a contended SpinMutex needs.
func (m *SpinMutex) SetName(name string) { m.extend().name.Store(&name) }

// Histograms yields the distribution behind the Wait of [SpinStats], as
// [RWMutex.Histograms] does.
func (m *SpinMutex) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		if x := m.x.Load(); x != nil {
			yield("wait", x.wait.AddTo)
		}
	}
}

// Stats returns what m has counted so far. It may be called at any time and makes
// nobody wait for longer than a few instructions.
func (m *SpinMutex) Stats() SpinStats {
	if raceEnabled {
		m.enter()
		defer raceEnable()
	}
	return m.stats()
}

//go:norace
func (m *SpinMutex) stats() SpinStats {
	var st SpinStats
	s, x := m.load(), m.x.Load()
	if x != nil {
		st.Contended, st.Spun, st.Polls = x.contended.Load(), x.spun.Load(), x.polls.Load()
		st.Yields, st.Parked = x.yields.Load(), x.parked.Load()
		st.Handoffs, st.Canceled = x.handoffs.Load(), x.canceled.Load()
		st.Wait = x.wait.Latency()
		if name := x.name.Load(); name != nil {
			st.Name = *name
		}
		// The whole after its parts: they never exceed it.
		x.mu.Lock()
		st.Waiting = x.q.n
		s = m.load()
		st.Acquired = x.folded
		x.mu.Unlock()
	}
	st.Acquired += (s &^ handoff) / spinOne
	st.Locked = s&spinClosed != 0
	st.Contention = stats.Ratio(st.Contended, st.Acquired)
	return st
}
