package locks

import (
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// Latency summarises a set of durations.
type Latency = stats.Latency

// Modes of an [RWMutex], as in [RWStats].
const (
	ModeWord    = "word"    // readers share one word
	ModeStriped = "striped" // readers are spread over cache lines of their own
)

// RWStats is what an [RWMutex] knows about itself. Counters are exact when no
// operation is in progress; during one its parts may be counted or not.
type RWStats struct {
	Name string `json:"name,omitempty"` // as given with SetOptions
	Mode string `json:"mode"`           // ModeWord or ModeStriped

	Reads  uint64 `json:"reads"`  // read locks acquired, by whatever method
	Writes uint64 `json:"writes"` // write locks acquired, by whatever method

	ReadContended  uint64 `json:"read_contended"`  // of Reads, those that found the lock closed
	WriteContended uint64 `json:"write_contended"` // of Writes, those that found the lock taken or readers inside
	ReadParked     uint64 `json:"read_parked"`     // readers that went to sleep, each once
	WriteParked    uint64 `json:"write_parked"`    // writers that went to sleep, each once
	Handoffs       uint64 `json:"handoffs"`        // writers that their turn was kept for, as others had overtaken them for 1 ms or 100 times
	Canceled       uint64 `json:"canceled"`        // waits ended by a ctx or a timeout

	Locked        bool `json:"locked"`         // a writer holds the lock or waits for its readers to leave
	ActiveReaders int  `json:"active_readers"` // readers inside
	Waiting       int  `json:"waiting"`        // goroutines asleep for the lock

	// Contention is the part of all acquisitions that was contended, 0 to 1.
	Contention float64 `json:"contention"`

	// ReadWait and WriteWait summarise the waits of those that slept, from their
	// first sleep until they had the lock or gave up. The clock is not read for any
	// other.
	ReadWait  Latency `json:"read_wait"`
	WriteWait Latency `json:"write_wait"`

	// WriteHold summarises how long sampled writers held the lock; it is empty
	// without RWOptions.HoldSampling.
	WriteHold Latency `json:"write_hold"`
}

// String is a line for people: what happened, how long it took, what is the case.
func (st RWStats) String() string {
	var b strings.Builder
	if st.Name != "" {
		b.WriteString(st.Name + ": ")
	}
	fmt.Fprintf(&b, "%s reads, %s writes, contention %s; read wait %s, write wait %s", describe.Count(st.Reads), describe.Count(st.Writes),
		describe.Percent(st.Contention), describe.Latency(st.ReadWait), describe.Latency(st.WriteWait))
	if st.WriteHold.Count > 0 {
		b.WriteString(", write hold " + describe.Latency(st.WriteHold))
	}
	fmt.Fprintf(&b, "; %d readers inside, %d waiting", st.ActiveReaders, st.Waiting)
	if st.Locked {
		b.WriteString(", locked")
	}
	if st.Mode == ModeStriped {
		b.WriteString(", striped")
	}
	return b.String()
}

// LogValue is the statistics as a group, without those that are zero.
func (st RWStats) LogValue() slog.Value { return describe.LogValue(st) }

// Histograms yields the distributions behind the Latency fields of [RWStats], under
// their JSON names, each as a function that adds it to a snapshot. Unlike a Latency
// they can be summed over locks and taken for a window of time. A lock for which
// nobody has waited has none.
func (rw *RWMutex) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		if x := rw.x.Load(); x != nil {
			if w := x.waits.Load(); w != nil {
				_ = yield("read_wait", w.read.AddTo) && yield("write_wait", w.write.AddTo) && yield("write_hold", w.hold.AddTo)
			}
		}
	}
}

// Stats returns what rw has counted so far. It takes no lock that an operation on
// rw waits for longer than a few instructions, and may be called at any time.
func (rw *RWMutex) Stats() RWStats {
	if raceEnabled {
		rw.enter()
		defer raceEnable()
	}
	return rw.stats()
}

//go:norace
func (rw *RWMutex) stats() RWStats {
	var st RWStats
	st.Reads, st.Writes = rw.counts()
	s, x := rw.load(), rw.x.Load()
	st.Locked = s&closed != 0
	st.Mode = ModeWord
	readers := activeOf(s)
	st.ActiveReaders = int(readers)
	if x == nil {
		return st
	}
	if s&biased != 0 {
		st.Mode = ModeStriped
		readers, _, _ = rw.inside(x)
		st.ActiveReaders = int(max(readers, 0))
	}
	if o := x.opts.Load(); o != nil {
		st.Name = o.Name
	}
	x.mu.Lock()
	st.Waiting = x.q.n + x.readers.n
	if x.drainer != nil {
		st.Waiting++
	}
	x.mu.Unlock()
	// An acquisition is counted before it is counted as contended. The parts are read
	// before the whole, so that they do not exceed it.
	st.ReadContended, st.WriteContended = x.readContended.Load(), x.writeContended.Load()
	st.ReadParked, st.WriteParked = x.readParked.Load(), x.writeParked.Load()
	st.Handoffs, st.Canceled = x.handoffs.Load(), x.canceled.Load()
	st.Reads, st.Writes = rw.counts()
	st.Contention = stats.Ratio(st.ReadContended+st.WriteContended, st.Reads+st.Writes)
	if w := x.waits.Load(); w != nil {
		st.ReadWait, st.WriteWait, st.WriteHold = w.read.Latency(), w.write.Latency(), w.hold.Latency()
	}
	return st
}

// counts returns the reads and writes so far. It reads again what a fold has
// changed meanwhile.
//
//go:norace
func (rw *RWMutex) counts() (reads, writes uint64) {
	for try := 0; ; try++ {
		r, w := rw.reads.Load(), atomic.LoadUint64(&rw.writes)&^striped
		s := rw.load()
		if r&foldsMask != 0 || rw.reads.Load() != r || atomic.LoadUint64(&rw.writes)&^striped != w {
			if try < 1000 {
				runtime.Gosched()
				continue
			}
			r &^= foldsMask
		}
		reads, writes = r+readsOf(s), w+writesOf(s)
		break
	}
	if x := rw.x.Load(); x != nil {
		undone := x.undone.Load()
		x.mu.Lock() // orders the making of cells
		cells := x.cells
		x.mu.Unlock()
		for i := range cells {
			reads += cells[i].in.Load()
		}
		reads -= min(undone, reads)
	}
	return reads, writes
}
