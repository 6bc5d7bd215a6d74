package lockfree

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Bounded is a first-in first-out queue that holds at most Cap values, for any
// number of producers and consumers. A full queue makes Enqueue wait and
// TryEnqueue return ErrFull; that a producer or consumer stalls in the middle of
// its operation does not make the queue seem full.
//
// A Bounded is made by [NewBounded]; its methods panic on the zero value. It must
// not be copied. It takes memory for the values that it has held at once, not for
// its capacity. Concurrency, ordering and memory model are those of [Queue].
type Bounded[T any] struct {
	l list[T]
}

// maxCapacity keeps a full queue's tickets half the range of tickets apart.
const maxCapacity = math.MaxInt64 / one / 2

// NewBounded returns an empty queue for at most capacity values. The error says
// which capacities there are if capacity is none: 1 to 1<<60 - 1, or as many as an
// int can count where that is less.
func NewBounded[T any](capacity int, opts ...Option) (*Bounded[T], error) {
	if capacity < 1 || int64(capacity) > maxCapacity {
		return nil, fmt.Errorf("lockfree: Bounded: capacity %d is not in 1 to %d", capacity, min(int64(maxCapacity), math.MaxInt))
	}
	var o options
	o.apply(opts)
	q := new(Bounded[T])
	q.l.set(o)
	q.l.setCapacity(capacity)
	q.l.init()
	return q, nil
}

// Must returns q, and panics if err is not nil: for variables of packages, and for
// capacities that are constants.
//
//	var recent = lockfree.Must(lockfree.NewBounded[Event](1024))
func Must[Q any](q Q, err error) Q {
	if err != nil {
		panic(err)
	}
	return q
}

func (l *list[T]) setCapacity(n int) {
	l.capacity = uint64(n) * one
	l.limit.until.Store(l.origin + l.capacity)
}

// made returns the queue's list, and panics if there is none.
func (q *Bounded[T]) made() *list[T] {
	if q.l.capacity == 0 {
		panic("lockfree: Bounded must be made by NewBounded")
	}
	return &q.l
}

// TryEnqueue adds v at the end, without waiting. It returns ErrFull if Cap values
// were in the queue at some moment of the call, and ErrClosed after Close.
func (q *Bounded[T]) TryEnqueue(v T) error { return q.made().enqueue(v) }

// Enqueue adds v at the end, and waits for room if there is none. If ctx has
// ended, before or while waiting, v is not in the queue and the error is that of
// [Queue.Dequeue]. It returns ErrClosed after Close, also if it waits. It panics if
// ctx is nil.
//
// Waiting goroutines are woken in the order in which they began to wait, but a
// goroutine that comes at the right moment may enqueue before them.
func (q *Bounded[T]) Enqueue(ctx context.Context, v T) error {
	l := q.made()
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if err := l.enqueue(v); err != ErrFull {
		return err
	}
	return l.enqueueWaitSlow(ctx, v)
}

func (l *list[T]) enqueueWaitSlow(ctx context.Context, v T) error {
	return l.notFull.await(ctx, func() bool {
		return l.enqueue(v) == nil
	}, l.isClosed, l.hasRoom)
}

// hasRoom reports whether an enqueue may succeed.
func (l *list[T]) hasRoom() bool {
	_, t := l.back()
	return l.room(t) > 0
}

// TryEnqueueBatch adds as many of vs as there is room for at the end, in order and
// without waiting, and returns how many. Values of others may come in between. The
// error is nil if all were added, else ErrFull, or ErrClosed after Close. vs is not
// kept.
func (q *Bounded[T]) TryEnqueueBatch(vs []T) (int, error) { return q.made().enqueueBatch(vs) }

// EnqueueBatch adds vs at the end, in order, and waits for room as often as
// there is none. It returns how many it added: all, or fewer with the error of an
// ended ctx or ErrClosed; the values counted are in the queue and the others are not.
// It panics if ctx is nil.
func (q *Bounded[T]) EnqueueBatch(ctx context.Context, vs []T) (int, error) {
	l := q.made()
	notNil(ctx)
	if ctx.Err() != nil {
		return 0, ctxerr.From(ctx)
	}
	n, err := l.enqueueBatch(vs)
	for err == ErrFull {
		err = l.notFull.await(ctx, func() bool {
			var k int
			k, err = l.enqueueBatch(vs[n:])
			n += k
			return k > 0 || err == nil
		}, l.isClosed, l.hasRoom)
		if err == nil && n < len(vs) {
			err = ErrFull
		}
	}
	return n, err
}

// EnqueueDropOldest adds v at the end, and makes the oldest value leave if Cap values
// are in the queue: both at one moment, so that a queue that was full stays full. It
// never waits, and returns ErrClosed after Close. It is for what matters only as
// long as it is new, like the last lines of a log.
//
// dropped is how many values this call made leave: 0 or 1, or more when it did so
// for other calls at work too. [Stats] has the sum of all as Dropped. A caller that needs the
// values back uses TryEnqueue, and TryDequeue on ErrFull.
func (q *Bounded[T]) EnqueueDropOldest(v T) (dropped int, err error) {
	return q.made().enqueueDropOldest(v)
}

// Peek returns the oldest value and leaves it in the queue; see [Queue.Peek].
func (q *Bounded[T]) Peek() (T, bool) { return q.made().peek() }

// TryDequeue takes the oldest value. It returns the zero value and false if the
// queue was empty at some moment of the call, and never waits.
func (q *Bounded[T]) TryDequeue() (T, bool) { return q.made().dequeue() }

// Dequeue takes the oldest value, and waits for one if there is none; see
// [Queue.Dequeue], which does the same about ctx and Close.
func (q *Bounded[T]) Dequeue(ctx context.Context) (T, error) { return q.made().dequeueWait(ctx) }

// TryDequeueBatch moves the oldest values into buf until buf is full or the queue was
// empty, and returns how many. It never waits, and returns 0 for an empty buf.
func (q *Bounded[T]) TryDequeueBatch(buf []T) int { return q.made().dequeueBatch(buf) }

// DequeueBatch is like TryDequeueBatch but waits until there is at least one
// value; see [Queue.DequeueBatch].
func (q *Bounded[T]) DequeueBatch(ctx context.Context, buf []T) (int, error) {
	return q.made().dequeueBatchWait(ctx, buf)
}

// Drain returns an iterator that takes and yields values until the queue is empty;
// see [Queue.Drain].
func (q *Bounded[T]) Drain() iter.Seq[T] { return drain(q.TryDequeue) }

// All returns an iterator that takes and yields values, waiting for them; see
// [Queue.All].
func (q *Bounded[T]) All(ctx context.Context) iter.Seq2[T, error] { return all(ctx, q.Dequeue) }

// Len returns the number of values in the queue, between 0 and Cap. With
// operations in progress it is a good estimate; without, it is exact.
func (q *Bounded[T]) Len() int { return q.made().sample() }

// Cap returns how many values the queue can hold.
func (q *Bounded[T]) Cap() int { return int(q.made().capacity / one) }

// Close makes enqueues return ErrClosed, those that wait for room and all that come
// later. It does not wait. Values in the queue stay to be dequeued; see [Queue.Close].
func (q *Bounded[T]) Close() error {
	q.made().close()
	return nil
}

// Stats returns the queue's counters.
func (q *Bounded[T]) Stats() Stats { return q.made().stats() }
