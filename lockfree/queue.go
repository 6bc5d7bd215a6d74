package lockfree

import (
	"context"
	"iter"
)

// Queue is an unbounded first-in first-out queue for any number of producers and
// consumers: the default choice of this package. It never blocks an enqueue, and
// grows and shrinks by rings of up to 64 KiB. Where few goroutines use it at a time, and
// none may be stopped in the middle of an operation, a mutex and a slice are as fast.
//
// The zero value is ready to use; [New] takes options. A Queue must not be copied.
// All methods are safe for concurrent use. What a goroutine did before an enqueue
// happens before what the one that dequeues the value does afterwards.
//
// Values leave in the order in which they entered, over all goroutines: if one
// enqueue returned before another began, its value is dequeued first.
type Queue[T any] struct {
	l list[T]
}

// Option is an option of [New], [NewBounded] and [NewMS].
type Option func(*options)

type options struct {
	name           string
	first, largest int
}

func (o *options) apply(opts []Option) {
	for _, opt := range opts {
		opt(o)
	}
}

// WithName gives a queue a name, which is in its [Stats]. It has none by default.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// WithRings sets how many values the first ring of a queue holds (by default 32)
// and how many the largest may hold (by default 4096). Each ring that follows a
// full one is twice as large. Sizes are rounded down to a power of two of at least
// 16, and a ring never takes more than about 64 KiB. With values above 4 KiB rings of
// fewer slots are possible too. WithRings panics if first is below 1 or above
// largest. An MSQueue has no rings.
//
// A queue that bursts often keeps from allocating if its first ring holds a burst.
func WithRings(first, largest int) Option {
	if first < 1 || first > largest {
		panic("lockfree: WithRings needs 1 <= first <= largest")
	}
	return func(o *options) { o.first, o.largest = first, largest }
}

// New returns an empty queue.
func New[T any](opts ...Option) *Queue[T] {
	var o options
	o.apply(opts)
	q := new(Queue[T])
	q.l.set(o)
	q.l.init()
	return q
}

// Enqueue adds v at the end. It never waits. The error is ErrClosed after Close,
// else nil.
func (q *Queue[T]) Enqueue(v T) error { return q.l.enqueue(v) }

// EnqueueBatch adds vs at the end, in order, and returns how many it added. Values
// of others may come in between. It never waits. After Close the error is
// ErrClosed, and if Close comes in the middle the values counted are in the queue
// and the others are not. vs is not kept.
func (q *Queue[T]) EnqueueBatch(vs []T) (int, error) { return q.l.enqueueBatch(vs) }

// TryDequeue takes the oldest value. It returns the zero value and false if the
// queue was empty at some moment of the call, and never waits.
func (q *Queue[T]) TryDequeue() (T, bool) { return q.l.dequeue() }

// Peek returns the oldest value and leaves it in the queue. It returns the zero
// value and false if the queue was empty at some moment of the call, and never
// waits. Another goroutine may dequeue the value at any moment, also before Peek
// returns.
func (q *Queue[T]) Peek() (T, bool) { return q.l.peek() }

// Dequeue takes the oldest value, and waits for one if there is none. If ctx has
// ended, before or while waiting, it takes nothing and returns an error in which
// errors.Is finds ctx.Err() and [context.Cause]. After Close it goes on returning
// values, and ErrClosed when none is left; the error of an ended ctx goes before. It
// panics if ctx is nil.
//
// Waiting goroutines are woken in the order in which they began to wait, but a
// goroutine that comes at the right moment may get a value before them.
func (q *Queue[T]) Dequeue(ctx context.Context) (T, error) { return q.l.dequeueWait(ctx) }

// TryDequeueBatch moves the oldest values into buf until buf is full or the queue was
// empty, and returns how many. It never waits, and returns 0 for an empty buf.
func (q *Queue[T]) TryDequeueBatch(buf []T) int { return q.l.dequeueBatch(buf) }

// DequeueBatch is like TryDequeueBatch but waits until there is at least one value,
// as Dequeue does and with its errors. With an empty buf it returns 0 and nil at
// once, or an error if ctx has ended. It panics if ctx is nil.
func (q *Queue[T]) DequeueBatch(ctx context.Context, buf []T) (int, error) {
	return q.l.dequeueBatchWait(ctx, buf)
}

// Drain returns an iterator that takes and yields values until the queue is empty.
// It does not wait and does not close the queue. Values are taken one at a time:
// when the loop ends early, or its body panics, all values not yet yielded are
// still in the queue. The iterator can be used again and by several goroutines.
func (q *Queue[T]) Drain() iter.Seq[T] { return drain(q.TryDequeue) }

// All returns an iterator that takes and yields values, waiting for them as Dequeue
// does, until the queue is closed and drained. If ctx ends first, the last pair is
// the zero value and Dequeue's error; in all others the error is nil. Like Drain's it
// takes one value at a time, and can be used again and by several goroutines. All
// panics if ctx is nil.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] { return all(ctx, q.Dequeue) }

// Len returns the number of values in the queue. With operations in progress it is
// a good estimate and never negative; without, it is exact.
func (q *Queue[T]) Len() int { return q.l.sample() }

// Close does not wait: it makes further enqueues return ErrClosed. Values in the
// queue stay to be dequeued; goroutines that wait for one when none is left return
// ErrClosed. An enqueue beside Close is either delivered or gets ErrClosed. Close
// always returns nil and may be called any number of times.
func (q *Queue[T]) Close() error {
	q.l.close()
	return nil
}

// Stats returns the queue's counters.
func (q *Queue[T]) Stats() Stats { return q.l.stats() }
