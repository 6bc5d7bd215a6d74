package locks

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// waiter is one goroutine that sleeps for a lock. It sleeps on a channel of its
// own, made when it goes to sleep: that is what a testing/synctest bubble
// recognises as durably blocked, and why channels are not kept for reuse (one
// made in a bubble must not be used outside of it).
type waiter struct {
	ch         chan struct{} // capacity 1: a wake-up never blocks the waker
	next, prev *waiter       // guarded by the queue's lock
	queued     bool          // guarded by the queue's lock
	granted    bool          // guarded by the queue's lock: let in, or with the lock reserved
	chain      bool          // if granted: the next in the queue starves too
	start      time.Time     // when it first went to sleep
	tries      int           // guarded by the queue's lock: how often it was woken in vain
}

//go:norace
func newWaiter() *waiter {
	return &waiter{ch: make(chan struct{}, 1), start: time.Now()}
}

func (w *waiter) signal() { w.ch <- struct{}{} }

// queue is a FIFO of waiters. Its owner guards it.
type queue struct {
	head, tail *waiter
	n          int
}

//go:norace
func (q *queue) pushBack(w *waiter) {
	w.queued = true
	w.prev, w.next = q.tail, nil
	if q.tail != nil {
		q.tail.next = w
	} else {
		q.head = w
	}
	q.tail = w
	q.n++
}

//go:norace
func (q *queue) pushFront(w *waiter) {
	w.queued = true
	w.prev, w.next = nil, q.head
	if q.head != nil {
		q.head.prev = w
	} else {
		q.tail = w
	}
	q.head = w
	q.n++
}

//go:norace
func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.tail = w.prev
	}
	w.next, w.prev, w.queued = nil, nil, false
	q.n--
}

// takeAll empties q and returns the first waiter, with the others chained behind it
// by next. They count as granted.
//
//go:norace
func (q *queue) takeAll() *waiter {
	first := q.head
	for w := first; w != nil; w = w.next {
		w.queued, w.granted = false, true
	}
	*q = queue{}
	return first
}

// limit says what ends a wait without the lock. A nil *limit waits for ever.
type limit struct {
	done    <-chan struct{} // a ctx's
	timeout time.Duration   // if above 0
	timer   *time.Timer     // made by the first sleep
}

// sleep waits for w's wake-up and reports whether it came before the limit.
//
//go:norace
func (l *limit) sleep(w *waiter) bool {
	if l == nil {
		<-w.ch
		return true
	}
	// The ctx and the timer are not of the lock: what they synchronize counts. The
	// waker's side of w.ch is ignored, so that no edge comes of it.
	raceEnable()
	defer raceDisable()
	var expired <-chan time.Time
	if l.timeout > 0 {
		if l.timer == nil {
			l.timer = time.NewTimer(l.timeout)
		}
		expired = l.timer.C
	}
	select {
	case <-w.ch:
		return true
	case <-l.done:
		return false
	case <-expired:
		return false
	}
}

// stop releases what l holds.
func (l *limit) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// tryFirst says whether an operation that may wait for d tries first. The debug switch
// wants to hear of the lock before it is taken.
func tryFirst(d time.Duration) bool { return d <= 0 || !debugEnabled }

// lockContext is the ctx form of a lock operation: try acquires at once or not at
// all, slow waits within its limit. A done ctx wins over a free lock.
func lockContext(ctx context.Context, try func() bool, slow func(*limit) bool) error {
	ctxerr.NotNil(ctx, "locks")
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if tryFirst(1) && try() {
		return nil
	}
	l := limit{done: ctx.Done()}
	if !slow(&l) {
		return ctxerr.From(ctx)
	}
	return nil
}
