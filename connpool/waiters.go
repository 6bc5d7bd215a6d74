package connpool

import (
	"context"
	"sync"
	"time"
)

// waiter is an Acquire in the queue. Pool.mu guards it while it is queued. After the grant
// it belongs to the waiting goroutine, which receives from ch and then finds the outcome in
// conn and err.
type waiter[C any] struct {
	// What a hand-over touches: one cache line.
	ch        chan struct{} // capacity 1, so that a grant never blocks
	done      <-chan struct{}
	state     waitState
	claims    bool       // it relies on a check or reset under way: counted in waiters.claims
	returning bool       // on one that began for no waiter: counted in waiters.returningClaims
	impatient bool       // what it relied on took too long
	next      *waiter[C] // in the queue; then the next granted in the same section under mu
	conn      Conn[C]
	err       error

	prev  *waiter[C]
	dial  *dialJob[C]   // the dial under way for it, or nil
	turn  uint64        // counts the waits that used this value: a late check must not take one wait for another
	until time.Duration // when its claim ends
	ctx   context.Context
	_     [16]byte // to 128 on 64 bits, or few of them would begin where a line does
}

type waitState uint8

const (
	waitQueued  waitState = iota
	waitGranted           // conn or err is set and a wake-up is under way
	waitGone              // left, or passed over because its ctx had ended
)

// spares keeps waiters that wait for nothing, with their channels. It belongs to a pool,
// because channels belong to a synctest bubble.
type spares[C any] struct{ pool sync.Pool }

// get returns a waiter for ctx.
func (s *spares[C]) get(ctx context.Context) *waiter[C] {
	w, _ := s.pool.Get().(*waiter[C])
	if w == nil {
		w = &waiter[C]{ch: make(chan struct{}, 1)}
	}
	w.ctx, w.done = ctx, ctx.Done()
	return w
}

// put takes back w, which must not be queued and whose ch must be empty.
func (s *spares[C]) put(w *waiter[C]) {
	w.ctx, w.done, w.conn, w.err = nil, nil, Conn[C]{}, nil
	s.pool.Put(w)
}

// waiters is the part of a pool that knows the waiting Acquires, their order, and what
// each relies on: a dial of its own, or a check or reset under way. It raises gateWaiters
// while an Acquire waits, and gatePaused during a pause. It is guarded by
// Pool.mu. It has a list of its own instead of internal/list, because every hand-over
// removes the first waiter, and that must not write to another waiter's cache line.
type waiters[C any] struct {
	gate *gate
	// What a hand-over writes: one cache line, together with gate.
	head, tail      *waiter[C] // oldest first
	n               int
	wake, wakeLast  *waiter[C] // granted in this section under mu; unlock wakes them
	waits, handoffs uint64     // counters, as in Stats

	dials  *dialer // learns which of its dials have lost their waiter
	paused bool    // between Pause and Resume
	gaveUp bool    // a waiter that left gave up its dial; provide must look whether another may begin

	claims int // waiters that rely on a check or reset under way
	// Checks and resets that began for no waiter, and the waiters that rely on them:
	// returningClaims <= returning.
	returning, returningClaims int
}

// push queues w and raises the gate.
func (q *waiters[C]) push(w *waiter[C]) {
	w.turn++
	w.state, w.impatient = waitQueued, false
	w.next, w.prev = nil, q.tail
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.next = w
	}
	q.tail = w
	q.n++
	if q.n == 1 {
		q.gate.set(gateWaiters, true)
	}
}

// drop takes w out of the queue, in the given state. The dial on which a waiter that
// leaves relied is late: w lost patience with it, and others should not rely on it.
func (q *waiters[C]) drop(w *waiter[C], s waitState) {
	w.state = s
	q.remove(w)
	q.unclaim(w)
	if j := w.dial; j != nil {
		j.waiter, w.dial = nil, nil
		if s == waitGone {
			q.dials.giveUp(&j.pending)
			q.gaveUp = true
		}
	}
	if q.n == 0 {
		q.gate.set(gateWaiters, false)
	}
}

// next returns the oldest waiter that may be served, or nil. Those whose ctx is done are
// passed over: they are on their way out, and a connection given to them would only
// come back later.
func (q *waiters[C]) next() *waiter[C] {
	for !q.paused {
		w := q.head
		if w == nil {
			return nil
		}
		select {
		case <-w.done:
			q.drop(w, waitGone)
		default:
			return w
		}
	}
	return nil
}

// pause begins or ends a pause, in which next returns no waiter.
func (q *waiters[C]) pause(on bool) {
	q.paused = on
	q.gate.set(gatePaused, on)
}

// grant ends w's wait with a connection or an error. takeGranted returns it.
func (q *waiters[C]) grant(w *waiter[C], c Conn[C], err error) {
	q.drop(w, waitGranted)
	w.conn, w.err = c, err
	if q.wake == nil {
		q.wake, q.wakeLast = w, w
		return
	}
	q.wakeLast.next = w
	q.wakeLast = w
}

// lend grants w a loan of e, which the pool holds and which had the given uses.
func (q *waiters[C]) lend(w *waiter[C], e *entry[C], uses uint64) {
	word := uses + useOne | stateLent
	e.word.Store(word)
	q.grant(w, Conn[C]{e, word}, nil)
}

// grantAll ends all waits with an error.
func (q *waiters[C]) grantAll(err error) {
	for w := q.head; w != nil; w = q.head {
		q.grant(w, Conn[C]{}, err)
	}
}

// remove takes w out. When w is the first, as mostly, remove does not write to the waiter
// behind it. So the prev of a first waiter may point anywhere, and is never read.
func (q *waiters[C]) remove(w *waiter[C]) {
	first := w == q.head
	if first {
		q.head = w.next
	} else {
		w.prev.next = w.next
	}
	switch {
	case w.next == nil && first:
		q.tail = nil
	case w.next == nil:
		q.tail = w.prev
	case !first:
		w.next.prev = w.prev
	}
	w.next, w.prev = nil, nil
	q.n--
}

// all yields the waiters, oldest first.
func (q *waiters[C]) all(yield func(*waiter[C]) bool) {
	for w := q.head; w != nil && yield(w); w = w.next {
	}
}

// unserved returns how many waiters rely on nothing. A number below zero says how many
// dials no waiter needs.
func (q *waiters[C]) unserved() int { return q.n - q.claims - q.dials.supply() }

// first returns the oldest waiter for whom nothing is under way that it could rely
// on, or nil.
func (q *waiters[C]) first() *waiter[C] {
	for w := range q.all { // at most MaxOpen are passed over
		if !w.claims && (w.dial == nil || w.dial.late) {
			return w
		}
	}
	return nil
}

// takeGranted returns a list of those to be woken, linked by next, and forgets them.
func (q *waiters[C]) takeGranted() *waiter[C] {
	w := q.wake
	if w != nil {
		q.wake, q.wakeLast = nil, nil
	}
	return w
}

// mayClaim reports whether a check or reset that began for no waiter has none yet.
func (q *waiters[C]) mayClaim() bool { return q.returningClaims < q.returning }

// claim lets w rely on a check or reset until the given time. returning says that it
// began for no waiter.
func (q *waiters[C]) claim(w *waiter[C], returning bool, until time.Duration) {
	w.claims, w.returning, w.until = true, returning, until
	q.claims++
	if returning {
		q.returningClaims++
	}
}

// unclaim ends w's claim, if it has one.
func (q *waiters[C]) unclaim(w *waiter[C]) {
	if !w.claims {
		return
	}
	w.claims = false
	q.claims--
	if w.returning {
		q.returningClaims--
	}
}

// loseBy ends the claims with which the patience has ended. It returns when that is so with
// the next one; 0: with none.
func (q *waiters[C]) loseBy(now time.Duration) (next time.Duration) {
	left := q.claims
	for w := q.head; left > 0; w = w.next {
		if !w.claims {
			continue
		}
		left--
		switch {
		case w.until <= now:
			q.unclaim(w)
			w.impatient = true
		case next == 0 || w.until < next:
			next = w.until
		}
	}
	return next
}

// returned counts the end of a check or reset that began for no waiter. If more waiters
// rely on such jobs than are left, some rely on nothing now, and the caller must provide.
func (q *waiters[C]) returned() {
	q.returning--
	for w := q.head; q.returningClaims > q.returning; w = w.next {
		if w.claims && w.returning {
			q.unclaim(w)
		}
	}
}
