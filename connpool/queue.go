package connpool

import (
	"context"
	"time"
)

// waiter is an Acquire in the queue. Guarded by Pool.mu while it is queued; from
// the grant on it belongs to the waiting goroutine, which finds the outcome in
// conn and err after it received from ch.
type waiter[C any] struct {
	// What a hand-over touches: one cache line.
	ch        chan struct{} // capacity 1, so that a grant never blocks
	done      <-chan struct{}
	state     waitState
	claims    bool       // it relies on a check or reset under way: counted in Pool.claims
	returning bool       // one that began for nobody: counted in Pool.returningClaims
	impatient bool       // what it relied on took too long
	next      *waiter[C] // in the queue; then the next granted in the same section under mu
	conn      Conn[C]
	err       error

	prev  *waiter[C]
	dial  *dialJob[C] // the dial under way for it, or nil
	turn  uint64      // counts the waits that used this value, so that a late check cannot take one for another
	timer *time.Timer // ends its claim
	ctx   context.Context
	_     [16]byte // to 128 on 64 bits, or few of them would begin where a line does
}

type waitState uint8

const (
	waitQueued  waitState = iota
	waitGranted           // conn or err is set and a wake-up is under way
	waitGone              // left, or passed over because its ctx had ended
)

// queue is a list of waiters, oldest first.
type queue[C any] struct {
	head, tail *waiter[C]
	n          int
}

func (q *queue[C]) push(w *waiter[C]) {
	w.next, w.prev = nil, q.tail
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.next = w
	}
	q.tail = w
	q.n++
}

// remove takes w out. It does not touch the one behind when w is the first, as
// mostly: its prev, which nobody reads of a first one, may point anywhere.
func (q *queue[C]) remove(w *waiter[C]) {
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
func (q *queue[C]) all(yield func(*waiter[C]) bool) {
	for w := q.head; w != nil && yield(w); w = w.next {
	}
}

// newWaiter returns a waiter for ctx, with a channel of this pool.
func (p *Pool[C]) newWaiter(ctx context.Context) *waiter[C] {
	w, _ := p.spare.Get().(*waiter[C])
	if w == nil {
		w = &waiter[C]{ch: make(chan struct{}, 1)}
	}
	w.ctx, w.done = ctx, ctx.Done()
	return w
}

// freeWaiter takes back w, which must not be queued and whose ch must be empty.
func (p *Pool[C]) freeWaiter(w *waiter[C]) {
	w.ctx, w.done, w.conn, w.err = nil, nil, Conn[C]{}, nil
	p.spare.Put(w)
}

// pushLocked queues w and raises the gate.
func (p *Pool[C]) pushLocked(w *waiter[C]) {
	w.turn++
	w.state, w.impatient = waitQueued, false
	p.queue.push(w)
	if p.queue.n == 1 {
		p.setGate(gateWaiters, true)
	}
}

// dropLocked takes w out of the queue, in the given state.
func (p *Pool[C]) dropLocked(w *waiter[C], s waitState) {
	w.state = s
	p.queue.remove(w)
	p.unclaimLocked(w)
	if j := w.dial; j != nil {
		j.waiter, w.dial = nil, nil
		if s == waitGone { // it lost patience with the dial, and others should not rely on it
			p.lateLocked(j)
		}
	}
	if p.queue.n == 0 {
		p.setGate(gateWaiters, false)
	}
}

// headLocked returns the first waiter that may be served, or nil. Those whose ctx
// is done are passed over: they are on their way out, and a connection given to
// them would only come back later.
func (p *Pool[C]) headLocked() *waiter[C] {
	for !p.paused {
		w := p.queue.head
		if w == nil {
			return nil
		}
		select {
		case <-w.done:
			p.dropLocked(w, waitGone)
		default:
			return w
		}
	}
	return nil
}

// grantLocked ends w's wait with a connection or an error.
func (p *Pool[C]) grantLocked(w *waiter[C], c Conn[C], err error) {
	p.dropLocked(w, waitGranted)
	w.conn, w.err = c, err
	if p.wake == nil {
		p.wake, p.wakeLast = w, w
		return
	}
	p.wakeLast.next = w
	p.wakeLast = w
}

// grantAllLocked ends all waits with an error.
func (p *Pool[C]) grantAllLocked(err error) {
	for w := p.queue.head; w != nil; w = p.queue.head {
		p.grantLocked(w, Conn[C]{}, err)
	}
}
