package connpool

import "context"

// waiter is an Acquire in the queue. Guarded by Pool.mu while it is queued; from
// the grant on it belongs to the waiting goroutine, which finds the outcome in
// conn and err after it received from ch.
type waiter[C any] struct {
	ch         chan struct{} // capacity 1, so that a grant never blocks
	ctx        context.Context
	done       <-chan struct{}
	next, prev *waiter[C]
	turn       uint64 // counts the waits that used this value, so that a late dial cannot take one for another
	state      waitState
	dialing    bool // a dial is under way for it
	checking   bool // a check is under way for it: counted in Pool.checking

	conn Conn[C]
	err  error
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

func (q *queue[C]) remove(w *waiter[C]) {
	if w.prev == nil {
		q.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.next, w.prev = nil, nil
	q.n--
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
	w.state, w.dialing, w.checking = waitQueued, false, false
	p.queue.push(w)
	if p.queue.n == 1 {
		p.setGate(gateWaiters, true)
	}
}

// dropLocked takes w out of the queue, in the given state.
func (p *Pool[C]) dropLocked(w *waiter[C], s waitState) {
	w.state = s
	p.queue.remove(w)
	p.uncheckLocked(w)
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
	w.next = nil
	if p.wake == nil {
		p.wake, p.wakeLast = w, w
		return
	}
	p.wakeLast.next = w
	p.wakeLast = w
}
