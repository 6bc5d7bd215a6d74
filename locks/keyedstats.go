package locks

import (
	"cmp"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// KeyedStats is what a [Keyed] knows about all its keys together. Counters are
// exact when no operation is in progress. A key that a method for many waited for,
// got and gave back, since it could not get them all, counts as acquired.
type KeyedStats struct {
	Name string `json:"name,omitempty"` // as given with WithName

	Keys   int    `json:"keys"`   // keys that are held or waited for
	Writes uint64 `json:"writes"` // write locks acquired, by whatever method
	Reads  uint64 `json:"reads"`  // read locks acquired, by whatever method

	ReadContended  uint64 `json:"read_contended"`  // of Reads, those that had to wait
	WriteContended uint64 `json:"write_contended"` // of Writes, those that had to wait
	ReadParked     uint64 `json:"read_parked"`     // readers that went to sleep
	WriteParked    uint64 `json:"write_parked"`    // writers that went to sleep
	Handoffs       uint64 `json:"handoffs"`        // writers that their turn was kept for, as others had overtaken them for 1 ms or 100 times
	Canceled       uint64 `json:"canceled"`        // waits ended by a ctx or a timeout

	// Contention is the part of all acquisitions that had to wait, 0 to 1.
	Contention float64 `json:"contention"`

	// ReadWait and WriteWait summarise the waits of those that slept, with those that
	// gave up.
	ReadWait  Latency `json:"read_wait"`
	WriteWait Latency `json:"write_wait"`
}

// KeyStats is the contention of one key.
type KeyStats[K comparable] struct {
	Key       K             `json:"key"`          // the key
	Contended uint64        `json:"contended"`    // acquisitions that had to wait
	WaitTime  time.Duration `json:"wait_time_ns"` // how long they and those that gave up waited, all together
	Users     int           `json:"users"`        // holders and waiters now
}

// keyedSums are the counters of one entry, or of many.
type keyedSums struct {
	readContended, writeContended, readParked, writeParked, handoffs, canceled uint64
}

func (s *keyedSums) contended() uint64 { return s.readContended + s.writeContended }

func (s *keyedSums) add(o *keyedSums) {
	s.readContended += o.readContended
	s.writeContended += o.writeContended
	s.readParked += o.readParked
	s.writeParked += o.writeParked
	s.handoffs += o.handoffs
	s.canceled += o.canceled
}

func (x *rwExt) sums() *keyedSums {
	return &keyedSums{
		x.readContended.Load(), x.writeContended.Load(), x.readParked.Load(),
		x.writeParked.Load(), x.handoffs.Load(), x.canceled.Load(),
	}
}

func (x *rwExt) resetCounters() {
	x.readContended.Store(0)
	x.writeContended.Store(0)
	x.readParked.Store(0)
	x.writeParked.Store(0)
	x.handoffs.Store(0)
	x.canceled.Store(0)
	x.undone.Store(0)
}

// Len returns how many keys are held or waited for.
func (k *Keyed[K]) Len() int {
	n := 0
	t := k.table()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		n += sh.keys()
		sh.mu.Unlock()
	}
	return n
}

// Stats returns what k has counted so far, over all keys.
func (k *Keyed[K]) Stats() KeyedStats {
	st := KeyedStats{Name: k.table().name}
	var sums keyedSums
	t := k.table()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		st.Keys += sh.keys()
		sums.add(&sh.gone)
		sh.each(func(e *keyedEntry[K]) {
			if x := e.rw.x.Load(); x != nil {
				sums.add(x.sums())
			}
		})
		st.Writes += sh.writes + sh.later.writes.Load()
		st.Reads += sh.reads + sh.later.reads.Load()
		sh.mu.Unlock()
	}
	// An acquisition is counted as contended a moment before it is counted.
	st.ReadContended, st.WriteContended = min(sums.readContended, st.Reads), min(sums.writeContended, st.Writes)
	st.ReadParked, st.WriteParked = sums.readParked, sums.writeParked
	st.Handoffs, st.Canceled = sums.handoffs, sums.canceled
	st.Contention = stats.Ratio(st.ReadContended+st.WriteContended, st.Reads+st.Writes)
	st.ReadWait, st.WriteWait = k.waits.read.Latency(), k.waits.write.Latency()
	return st
}

// String is a line for people: what happened, how long it took, what is the case.
func (st KeyedStats) String() string {
	name := ""
	if st.Name != "" {
		name = st.Name + ": "
	}
	return fmt.Sprintf("%s%s reads, %s writes, contention %s; read wait %s, write wait %s; %d keys in use", name, describe.Count(st.Reads),
		describe.Count(st.Writes), describe.Percent(st.Contention), describe.Latency(st.ReadWait), describe.Latency(st.WriteWait), st.Keys)
}

// LogValue is the statistics as a group, without those that are zero.
func (st KeyedStats) LogValue() slog.Value { return describe.LogValue(st) }

// Histograms yields the distributions behind the Latency fields of [KeyedStats], as
// [RWMutex.Histograms] does.
func (k *Keyed[K]) Histograms() iter.Seq2[string, func(*stats.Snapshot)] {
	return func(yield func(string, func(*stats.Snapshot)) bool) {
		_ = yield("read_wait", k.waits.read.AddTo) && yield("write_wait", k.waits.write.AddTo)
	}
}

// Top returns the n keys that were waited for the longest, the worst first, or
// fewer if there are not as many: keys in use and, of those that are not, the ones
// that each shard remembers (see [WithTop]; it keeps the most waited for).
func (k *Keyed[K]) Top(n int) []KeyStats[K] {
	var all []KeyStats[K]
	t := k.table()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		first := len(all)
		for _, t := range sh.top.keys {
			all = append(all, t.KeyStats)
		}
		sh.each(func(e *keyedEntry[K]) {
			x := e.rw.x.Load()
			if x == nil {
				return
			}
			now := KeyStats[K]{e.key, x.sums().contended(), time.Duration(e.waited.Load()), int(e.refs)}
			i := slices.IndexFunc(all[first:], func(t KeyStats[K]) bool { return t.Key == e.key })
			if i < 0 {
				all = append(all, now)
				return
			}
			t := &all[first+i]
			t.Contended += now.Contended
			t.WaitTime += now.WaitTime
			t.Users = now.Users
		})
		sh.mu.Unlock()
	}
	all = slices.DeleteFunc(all, func(t KeyStats[K]) bool { return t.Contended == 0 && t.WaitTime == 0 })
	slices.SortFunc(all, func(a, b KeyStats[K]) int {
		return cmp.Or(cmp.Compare(b.WaitTime, a.WaitTime), cmp.Compare(b.Contended, a.Contended))
	})
	return all[:min(max(n, 0), len(all))]
}

// topKeys remembers the most waited for of the keys that have vanished, with the
// Space-Saving algorithm (Metwally, Agrawal, El Abbadi, ICDT 2005): a newcomer
// takes the place of the least and inherits its weight, so that a key which comes
// often and briefly still gets to the top.
type topKeys[K comparable] struct {
	limit int
	keys  []topKey[K]
}

type topKey[K comparable] struct {
	KeyStats[K]
	weight time.Duration
}

func (t *topKeys[K]) note(key K, contended uint64, waited int64) {
	if t.limit == 0 || contended == 0 && waited == 0 {
		return
	}
	i := slices.IndexFunc(t.keys, func(o topKey[K]) bool { return o.Key == key })
	switch {
	case i >= 0:
	case len(t.keys) < t.limit:
		i = len(t.keys)
		t.keys = append(t.keys, topKey[K]{KeyStats: KeyStats[K]{Key: key}})
	default:
		i = 0
		for j := range t.keys {
			if t.keys[j].weight < t.keys[i].weight {
				i = j
			}
		}
		t.keys[i].KeyStats = KeyStats[K]{Key: key}
	}
	t.keys[i].Contended += contended
	t.keys[i].WaitTime += time.Duration(waited)
	t.keys[i].weight += time.Duration(waited)
}
