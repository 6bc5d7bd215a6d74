package objpool

import (
	"sync"
	"sync/atomic"

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
// move to and from the central stack in half magazines.
//
// Whoever does not own a magazine may only load its counters, atomically. Whoever
// froze the pool owns all of them (see [Pool.freeze]).
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
	// ever put in needs no word: it is length + pops, corrected by Pool.flow.
	state uint64

	// capacity is this magazine's share of Pool.max: 0 where none was granted.
	capacity uint64

	// passed and failed count Validate's answers. They are atomic stores by the
	// owner, so that whoever sees one also sees the pop before it.
	passed, failed atomic.Uint64

	tick uint64 // state at the last tick of the idle timer; guarded by Pool.mu

	mu sync.Mutex // portable engine only

	slots [magSize]T
	_     stats.Pad
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
