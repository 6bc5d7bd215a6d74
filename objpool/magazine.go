package objpool

import (
	"sync"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

const (
	// magSize is how many objects a P (or a stripe) keeps to itself at most. A
	// burst of this many Gets and Puts needs no lock.
	magSize = 16

	lenBits = 8
	lenMask = 1<<lenBits - 1
	onePop  = 1 << lenBits // in units of magazine.state
)

// A magazine is a small stack of objects that one owner uses without sharing: the
// P that it is indexed by (pinned engine) or the holder of mu (portable engine).
// The idea is Bonwick and Adams, "Magazines and Vmem" (USENIX 2001); here objects
// move to and from the central stack in batches.
//
// Only the owner changes state, capacity and slots. Everybody else may load the
// counters atomically.
type magazine[T any] struct {
	_ stats.Pad

	// state is one word so that a single plain store changes the number of objects
	// and the count of pops together, which makes it readable by anybody at any
	// time:
	//
	//	63                                  8 7        0
	//	+------------------------------------+----------+
	//	|  pops: objects ever taken out here |  length  |
	//	+------------------------------------+----------+
	//
	// 56 bits of pops last 22 years at 100 million a second. The number of objects
	// ever put in needs no word: it is length + pops, corrected by central.flow.
	state uint64

	// capacity is this magazine's share of central.max: 0 where none was lent.
	capacity uint64

	// slots has its own memory, so that a magazine without capacity takes no space
	// for objects. It is not nil while capacity is not 0.
	slots *[magSize]T

	// passed and failed count Validate's answers. They are atomic stores by the
	// owner, so that a goroutine that sees one also sees the pop before it.
	passed, failed atomic.Uint64

	// The rest is what visits to the central stack remember: guarded by Pool.mu.

	seen     uint64   // state at the end of the last visit
	limit    int      // the capacity that the last visit would have given; doubles
	visits   uint32   // visits by the owner: minVisits make it worth a capacity
	away     int      // its part of central.away
	recalled bool     // the owner gives everything back at its next visit
	grace    rt.Grace // pinned engine: once over, the owner of a recalled one is Pool.mu

	mu sync.Mutex // portable engine only
	_  stats.Pad
}

// pop takes the newest object out; s is state and its length is not 0.
func (m *magazine[T]) pop(s uint64) T {
	e := &m.slots[(s-1)%magSize]
	v := *e
	var zero T
	*e = zero
	m.state = s + onePop - 1
	return v
}

// push adds v; s is state and its length is below capacity.
func (m *magazine[T]) push(s uint64, v T) {
	m.slots[s%magSize] = v
	m.state = s + 1
}

func (m *magazine[T]) len() int { return int(m.state & lenMask) }

// load reads state from outside.
func (m *magazine[T]) load() uint64 {
	if pinnedBuild {
		return atomic.LoadUint64(&m.state)
	}
	return m.state
}

// fill moves vs, oldest first, into the empty magazine.
func (m *magazine[T]) fill(vs []T) {
	copy(m.slots[:], vs)
	m.state += uint64(len(vs))
}

// spill appends the k oldest objects to dst and returns it.
func (m *magazine[T]) spill(dst []T, k int) []T {
	n := m.len()
	dst = append(dst, m.slots[:k]...)
	copy(m.slots[:], m.slots[k:n])
	clear(m.slots[n-k : n])
	m.state -= uint64(k)
	return dst
}

// since returns how many objects the owner put in and took out since the last visit.
func (m *magazine[T]) since() (pushes, pops int) {
	pops = int(m.state>>lenBits - m.seen>>lenBits)
	return pops + m.len() - int(m.seen&lenMask), pops
}

// onlyTaken and onlyPut report whether the owner went one way since the last visit,
// for half a magazine at least: it then moves whole magazines instead of halves.
func (m *magazine[T]) onlyTaken() bool {
	pushes, pops := m.since()
	return pushes == 0 && pops >= max(m.limit/2, 1)
}

func (m *magazine[T]) onlyPut() bool {
	pushes, pops := m.since()
	return pops == 0 && pushes >= max(m.limit/2, 1)
}

// raise doubles the limit, up to most, and returns it.
func (m *magazine[T]) raise(most int) int {
	m.limit = min(max(2*m.limit, 1), most)
	return m.limit
}
