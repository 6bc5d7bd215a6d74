package batchchan

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/list"
)

// waiter is a blocked sender. The goroutine that makes room moves its items
// into the buffer for it, in order of arrival, and wakes it with the outcome: a
// cancelled sender knows exactly how much was accepted, no sender overtakes another,
// and one holding of the lock serves all senders that there is room for.
type waiter[T any] struct {
	signal             // settled
	timer  *time.Timer // made on the first use with a timeout

	// Guarded by engine.mu until settled.
	node  list.Node[*waiter[T]]
	next  *waiter[T] // in effects
	one   [1]T
	items []T // not yet accepted
	size  int // of the single item, where SizeOf is used
	err   error
}

// waitList holds the blocked senders, first come first.
type waitList[T any] struct {
	list list.List[*waiter[T]]
}

// any says whether somebody waits.
func (l *waitList[T]) any() bool { return l.list.Len() > 0 }

func (l *waitList[T]) len() int { return l.list.Len() }

// first returns the sender that came first, or nil.
func (l *waitList[T]) first() *waiter[T] { return l.list.Front() }

func (l *waitList[T]) push(w *waiter[T]) { l.list.PushBack(&w.node) }

// pop takes out the sender that came first. There is one.
func (l *waitList[T]) pop() *waiter[T] { return l.list.PopFront() }

func (l *waitList[T]) remove(w *waiter[T]) { l.list.Remove(&w.node) }

// newWaiter returns a waiter that is in no list.
func newWaiter[T any]() *waiter[T] {
	w := &waiter[T]{signal: newSignal()}
	w.node.Value = w
	return w
}

// waiterPool keeps waiters for later: one per instance, as the package's channels must
// not be shared by instances. The zero value is ready.
type waiterPool[T any] struct{ free sync.Pool }

// get returns a waiter for one item.
func (p *waiterPool[T]) get(item T, size int) *waiter[T] {
	w, _ := p.free.Get().(*waiter[T])
	if w == nil {
		w = newWaiter[T]()
	}
	w.one[0] = item
	w.items, w.size, w.err = w.one[:], size, nil
	w.arm()
	return w
}

// getMany returns a waiter for items of size 0.
func (p *waiterPool[T]) getMany(items []T) *waiter[T] {
	var none T
	w := p.get(none, 0)
	w.items = items
	return w
}

// put takes w back, which is in no list.
func (p *waiterPool[T]) put(w *waiter[T]) {
	clear(w.one[:])
	w.items = nil
	p.free.Put(w)
}

// queued says whether w is in a list, that is, not settled.
func (w *waiter[T]) queued() bool { return w.node.Linked() }

// errEnded says that a ctx has ended. Why, its methods say, which are the user's: they are
// asked when the state of the instance no longer depends on their return.
var errEnded = errors.New("batchchan: the ctx has ended")

// why returns err, or why ctx ended if err is errEnded. No lock may be held.
func why(ctx context.Context, err error) error {
	if err == errEnded { //nolint:errorlint // identity
		return ctxerr.From(ctx)
	}
	return err
}

// wait waits until w is settled, and then returns nil, or until ctx is done (errEnded) or
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
		return errEnded
	case <-timeout:
		return ErrTimeout
	}
}

// admit accepts what there is room for of the blocked senders' items.
func (c *core[T]) admit(e *effects[T]) {
	if !c.waiters.any() {
		return
	}
	at := c.clock.now()
	for w := c.waiters.first(); w != nil; w = c.waiters.first() {
		for len(w.items) > 0 && c.fits(1, w.size) {
			c.add(w.items[0], w.size, at, e)
			w.items = w.items[1:]
		}
		if len(w.items) > 0 {
			return
		}
		e.settle(c.waiters.pop(), nil)
	}
	c.setRoom()
}

// blockLocked waits until w's items are accepted, ctx is done, or d, if not
// negative, has passed. It returns how many were not accepted. It is entered
// with mu held and returns without; w must not be used after.
func (g *engine[T]) blockLocked(ctx context.Context, w *waiter[T], d time.Duration, e *effects[T]) (left int, err error) {
	start := g.now()
	g.core.n.blocked++
	g.core.waiters.push(w)
	g.core.setRoom()
	g.core.hurryRun(e)
	g.unlock(e)

	err = w.wait(ctx, d)
	g.mu.lock()
	switch {
	case err == nil:
	case w.queued():
		g.core.waiters.remove(w)
		w.err = err
		g.core.admit(e) // the next may be smaller
		g.core.setRoom()
	default: // the outcome came first: it counts
		g.mu.unlock()
		<-w.ch
		g.mu.lock()
	}
	g.core.n.blockedTime += g.now() - start
	left, err = len(w.items), w.err
	if err != nil {
		g.core.n.rejected += uint64(left)
	}
	g.unlock(e)
	g.freeWait.put(w)
	return left, why(ctx, err)
}
