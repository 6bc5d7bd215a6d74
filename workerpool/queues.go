package workerpool

import (
	"math"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/stats"
)

// queues holds all values that wait for a worker: the rings of the levels, the values
// outside of the rings, and the counts of all that ever came and went. It knows neither
// workers nor submitters: desk wakes a worker after a put, and notifies the submitters
// that fill has let in.
type queues[T any] struct {
	levels []level[T] // one per priority, lowest first; 1 at least
	clock  *sampler   // the pool's
	direct bool       // NoQueue: a spill has values that were handed to workers
	flags  atomic.Uint32
	_      [stats.Line]byte

	turn     atomic.Uint32 // takes of a pool with priorities
	passed   atomic.Uint64 // values that went to a worker without passing a ring
	noTicket atomic.Uint64 // dropped values that were never in a ring
	dropped  atomic.Uint64 // values that were accepted and then taken out to make room, or by a Shutdown

	// The pool's mutex guards these.
	outside int      // values in all spills and waiters lists
	nested  spill[T] // what tasks of the pool wait for in Do: first of all to be taken
	held    bool     // the pool is paused: takers find nothing
}

// Bits of queues.flags, changed under the pool's mutex.
const (
	someOutside = 1 << iota // outside is not 0: a taker looks whether there is room for more
	someNested              // nested is not empty, and may be taken from
)

// level is the queue of one priority. spill and waiters are guarded by core.mu.
type level[T any] struct {
	ring    ring[T]
	quarter uint64 // a full ring takes from spill or waiters at this much room
	spill   spill[T]
	waiters waiters[T]
	due     atomic.Uint64 // the head's ticket at which others are barred in favour of the waiters
	grants  int           // guarded by core.mu; how many more waiters a barred ring lets in
}

// notDue in level.due: nobody waits.
const notDue = math.MaxUint64

func (q *queues[T]) init(levels, size int, direct bool, clock *sampler) {
	q.levels, q.direct, q.clock = make([]level[T], levels), direct, clock
	for i := range q.levels {
		l := &q.levels[i]
		l.ring.init(size)
		l.quarter = uint64(max(size/4, 1))
		l.due.Store(notDue)
	}
}

// backlog returns about how many values the rings hold.
func (q *queues[T]) backlog() uint64 {
	var n uint64
	for i := range q.levels {
		taken, put := q.levels[i].ring.counts()
		n += put - taken
	}
	return n
}

// puts returns how many values were ever put into the rings.
func (q *queues[T]) puts() (n uint64) {
	for i := range q.levels {
		_, put := q.levels[i].ring.counts()
		n += put
	}
	return n
}

// ready reports whether a worker would find something to take.
func (q *queues[T]) ready() bool {
	if q.flags.Load()&someNested != 0 {
		return true
	}
	for i := range q.levels {
		if q.levels[i].ring.ready() {
			return true
		}
	}
	return false
}

// take removes the value to run next from the rings.
func (q *queues[T]) take() (v T, at int64, ok bool) {
	if len(q.levels) == 1 {
		return q.levels[0].ring.take()
	}
	return q.takeLevels()
}

// lowTurn: one in so many takes of a pool with priorities begins below the highest
// level, at each of the lower levels in turn, so that none starves.
const lowTurn = 64

// takeLevels takes from the highest level that has a task, or, where it is a lower
// level's turn, from that one or else the next that has one.
func (q *queues[T]) takeLevels() (v T, at int64, ok bool) {
	top := len(q.levels) - 1
	if top > 0 {
		if t := q.turn.Add(1); t%lowTurn == 0 {
			for i := range top {
				l := &q.levels[(int(t/lowTurn%uint32(top))+i)%top]
				if v, at, ok = l.ring.take(); ok {
					return v, at, ok
				}
			}
		}
	}
	for i := top; i >= 0; i-- {
		if v, at, ok = q.levels[i].ring.take(); ok {
			return v, at, ok
		}
	}
	return v, at, ok
}

// empty reports whether no accepted value waits. The pool's mutex is held.
func (q *queues[T]) empty() bool {
	for i := range q.levels {
		l := &q.levels[i]
		if taken, put := l.ring.counts(); taken != put || l.spill.len+l.waiters.accepted > 0 {
			return false
		}
	}
	return q.nested.len == 0
}

// counts returns how many values were ever taken and ever accepted, those that
// submitters wait with left out. The pool's mutex is held.
func (q *queues[T]) counts() (taken, accepted uint64) {
	var outside uint64
	for i := range q.levels {
		l := &q.levels[i]
		t, p := l.ring.counts()
		for range 8 { // until nothing was taken between the two reads
			t2, p2 := l.ring.counts()
			if t2 == t {
				break
			}
			t, p = t2, p2
		}
		taken, accepted = taken+t, accepted+p
		outside += uint64(l.waiters.accepted)
		if !q.direct { // where its values have workers
			outside += uint64(l.spill.len)
		}
	}
	outside += uint64(q.nested.len)
	past := q.noTicket.Load() + q.passed.Load()
	return taken + past, accepted + past + outside
}

// hold makes takers find nothing, or lets them find what there is again. The pool's
// mutex is held.
func (q *queues[T]) hold(on bool) {
	q.held = on
	for i := range q.levels {
		if on {
			q.levels[i].ring.hold()
		} else {
			q.levels[i].ring.unhold()
		}
	}
	q.flagNested()
}

// set sets or clears bits of flags. The pool's mutex is held.
func (q *queues[T]) set(bits uint32, on bool) {
	switch is := q.flags.Load()&bits != 0; {
	case on && !is:
		q.flags.Or(bits)
	case is && !on:
		q.flags.And(math.MaxUint32 &^ bits)
	}
}
