package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// waiter is a blocked sender. Whoever makes room moves its items into the
// buffer for it, in order of arrival, and wakes it with the outcome: a
// cancelled sender knows exactly how much was accepted, nobody overtakes, and
// one pass of the lock serves all for whom there is room.
type waiter[T any] struct {
	signal             // settled
	timer  *time.Timer // made on the first use with a timeout

	// Guarded by core.mu until settled.
	next, prev *waiter[T]
	queued     bool
	one        [1]T
	items      []T // not yet accepted
	size       int // of the single item, where SizeOf is used
	err        error
}

// waitList is a doubly linked FIFO of waiters.
type waitList[T any] struct {
	head, tail *waiter[T]
	n          int
}

func (l *waitList[T]) push(w *waiter[T]) {
	w.queued, w.prev, w.next = true, l.tail, nil
	if l.tail == nil {
		l.head = w
	} else {
		l.tail.next = w
	}
	l.tail = w
	l.n++
}

func (l *waitList[T]) remove(w *waiter[T]) {
	if w.prev == nil {
		l.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queued, w.prev, w.next = false, nil, nil
	l.n--
}

// settle takes w off the list with an outcome.
func (l *waitList[T]) settle(w *waiter[T], err error, e *effects[T]) {
	l.remove(w)
	w.err = err
	w.next = e.waiters
	e.waiters = w
}

// wait waits until w is settled, and then returns nil, or until ctx is done or
// d, if not negative, has passed.
func (w *waiter[T]) wait(ctx context.Context, d time.Duration) error {
	if d < 0 && ctx.Done() == nil {
		w.signal.wait()
		return nil
	}
	if !w.park() {
		return nil
	}
	var timeout <-chan time.Time
	if d >= 0 {
		if w.timer == nil {
			w.timer = time.NewTimer(d)
		} else {
			w.timer.Reset(d)
		}
		defer w.timer.Stop()
		timeout = w.timer.C
	}
	select {
	case <-w.ch:
		return nil
	case <-ctx.Done():
		return ctxerr.From(ctx)
	case <-timeout:
		return ErrTimeout
	}
}

// admitLocked accepts what there is room for of the blocked senders' items.
func (c *core[T]) admitLocked(e *effects[T]) {
	if c.waiters.head == nil {
		return
	}
	at := c.now()
	for w := c.waiters.head; w != nil; w = c.waiters.head {
		for len(w.items) > 0 && c.fitsLocked(1, w.size) {
			c.addLocked(w.items[0], w.size, at, e)
			w.items = w.items[1:]
		}
		if len(w.items) > 0 {
			return
		}
		c.waiters.settle(w, nil, e)
	}
	c.roomLocked()
}

// newWaiter returns a waiter for one item.
func (c *core[T]) newWaiter(item T, size int) *waiter[T] {
	w := c.freeWait.Get().(*waiter[T])
	w.one[0] = item
	w.items, w.size = w.one[:], size
	return w
}

// newWaiterMany returns a waiter for items of size 0.
func (c *core[T]) newWaiterMany(items []T) *waiter[T] {
	w := c.freeWait.Get().(*waiter[T])
	w.items, w.size = items, 0
	return w
}

// blockLocked waits until w's items are accepted, ctx is done, or d, if not
// negative, has passed. It returns how many were not accepted. It is entered
// with mu held and returns without; w must not be used after.
func (c *core[T]) blockLocked(ctx context.Context, w *waiter[T], d time.Duration, e *effects[T]) (left int, err error) {
	w.err = nil
	w.arm()
	start := c.now()
	c.n.blocked++
	c.waiters.push(w)
	c.room = 0
	c.hurryLocked(e)
	c.unlock(e)

	err = w.wait(ctx, d)
	c.mu.lock()
	switch {
	case err == nil:
	case w.queued:
		c.waiters.remove(w)
		w.err = err
		c.admitLocked(e) // the next may be smaller
		c.roomLocked()
	default: // the outcome came first: it counts
		c.mu.unlock()
		<-w.ch
		c.mu.lock()
	}
	c.n.blockedTime += c.now() - start
	left, err = len(w.items), w.err
	if err != nil {
		c.n.rejected += uint64(left)
	}
	c.unlock(e)
	clear(w.one[:])
	w.items = nil
	c.freeWait.Put(w)
	return left, err
}
