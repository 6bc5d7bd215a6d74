package batchchan

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Chan is a buffered channel that can be closed under its senders' feet, waits
// with a context, moves many items at a time and counts what passes.
//
// It differs from a Go channel in that Close may be called at any time and any
// number of times, a send on a closed Chan returns ErrClosed instead of
// panicking, and there is no rendezvous: the capacity is at least 1. It is FIFO;
// what a sender did before a send happens before the receive of that item. Waiting
// senders and waiting receivers are served in order of arrival, but one that comes
// at the right moment may overtake them.
//
// All methods are safe for concurrent use. A Chan has no goroutines, except those
// that C starts.
type Chan[T any] struct {
	ring[T]
	side chanSide[T]
	_    nocopy.NoCopy
}

// NewChan returns a Chan that holds up to capacity items. It panics if capacity
// is less than 1.
func NewChan[T any](capacity int) *Chan[T] {
	if capacity < 1 {
		panic("batchchan: NewChan: capacity must be at least 1")
	}
	c := new(Chan[T])
	c.ring.init(capacity)
	c.side.init()
	return c
}

// Send waits for room and appends item. When ctx is done, before or while it
// waits, it returns ctx.Err(); when c is closed, ErrClosed. In either case item
// was not sent.
func (c *Chan[T]) Send(ctx context.Context, item T) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if c.ring.send(item) == done {
		if c.side.receivers.wanted.Load() {
			c.side.receivers.wake()
		}
		return nil
	}
	return c.sendSlow(ctx, item, forever)
}

// Recv waits for an item and removes it. When ctx is done, before or while it
// waits, it returns ctx.Err() and removes nothing. When c is closed and empty, it
// returns ErrClosed, every time.
func (c *Chan[T]) Recv(ctx context.Context) (item T, err error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return item, ctxerr.From(ctx)
	}
	if c.side.back.Load() == 0 && c.ring.recv(&item) == done {
		if c.side.senders.wanted.Load() {
			c.side.senders.wake()
		}
		return item, nil
	}
	err = c.recvSlow(ctx, &item, forever)
	return item, err
}

// TrySend is Send without waiting: it returns ErrFull if there is no room.
func (c *Chan[T]) TrySend(item T) error {
	return c.sendSlow(context.Background(), item, noWait)
}

// TryRecv is Recv without waiting: it returns ErrEmpty if there is no item.
func (c *Chan[T]) TryRecv() (item T, err error) {
	err = c.recvSlow(context.Background(), &item, noWait)
	return item, err
}

// SendTimeout is Send that waits for at most d and then returns ErrTimeout. A d
// that is not positive makes it TrySend.
func (c *Chan[T]) SendTimeout(item T, d time.Duration) error {
	if d <= 0 {
		d = noWait
	}
	return c.sendSlow(context.Background(), item, d)
}

// RecvTimeout is Recv that waits for at most d and then returns ErrTimeout. A d
// that is not positive makes it TryRecv.
func (c *Chan[T]) RecvTimeout(d time.Duration) (item T, err error) {
	if d <= 0 {
		d = noWait
	}
	err = c.recvSlow(context.Background(), &item, d)
	return item, err
}

// SendMany sends items in order, at a fraction of Send's cost each, waiting for
// room as needed. Items of other senders may come between them. It returns how
// many were sent, the first n, and Send's error if that is not all.
func (c *Chan[T]) SendMany(ctx context.Context, items []T) (n int, err error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return 0, ctxerr.From(ctx)
	}
	for {
		k, r := c.ring.sendMany(items[n:])
		if k > 0 && c.side.receivers.wanted.Load() {
			c.side.receivers.wake()
		}
		if n += k; n == len(items) {
			return n, nil
		}
		if r == closed {
			return n, ErrClosed
		}
		if err := c.sendSlow(ctx, items[n], forever); err != nil {
			return n, err
		}
		n++
	}
}

// RecvMany waits for one item and then removes as many as are there and dst
// holds, in order. It returns how many, at least 1 unless there is an error or
// dst is empty.
func (c *Chan[T]) RecvMany(ctx context.Context, dst []T) (n int, err error) {
	notNil(ctx)
	if ctx.Err() != nil || len(dst) == 0 {
		return 0, ctxerr.From(ctx)
	}
	if c.side.back.Load() == 0 {
		n = c.ring.recvMany(dst)
	}
	if n == 0 {
		if err := c.recvSlow(ctx, &dst[0], forever); err != nil {
			return 0, err
		}
		n = 1
		if c.side.back.Load() == 0 {
			n += c.ring.recvMany(dst[1:])
		}
	}
	if c.side.senders.wanted.Load() {
		c.side.senders.wake()
	}
	return n, nil
}

// All returns an iterator over the items, each with a nil error. It ends when c is
// closed and empty; if ctx is done first, it yields a zero item and the error of Recv
// and ends.
func (c *Chan[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			item, err := c.Recv(ctx)
			if errors.Is(err, ErrClosed) || !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Close refuses sends from now on, those that wait included; they return
// ErrClosed. It does not wait: what was sent is still received. It may be called at
// any time, by anyone, and again. It returns nil.
func (c *Chan[T]) Close() error {
	c.ring.close()
	c.side.senders.wakeAll()
	c.side.receivers.wakeAll()
	return nil
}

// Closed reports whether Close was called. Items may still be there.
func (c *Chan[T]) Closed() bool { return c.ring.isClosed() }

// Len returns the number of items in c, from 0 to Cap.
func (c *Chan[T]) Len() int {
	return min(c.ring.len()+int(c.side.back.Load()), c.ring.capacity)
}

// Cap returns the capacity.
func (c *Chan[T]) Cap() int { return c.ring.capacity }
