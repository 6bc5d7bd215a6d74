package lockfree

import (
	"context"
	"iter"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// MSQueue is the unbounded queue of Michael and Scott (1996), one node per value.
// It is slower than [Queue] and its nodes are garbage afterwards; it is for those
// who want the textbook's algorithm done right, or its extras: a Len that is exact
// at one moment of the call whatever else goes on, and a batch that is one step,
// with no values of others in between.
//
// Nodes of small values are allocated 15 at a time (a batch's up to 64 at a time, or
// 8 KiB), and a value in the queue keeps the memory of those allocated with its node, but
// not the values that were in them.
//
// The zero value is ready to use, as is that of [NewMS]. An MSQueue must not be
// copied. Concurrency, ordering and memory model are those of Queue.
type MSQueue[T any] struct {
	q msCore[T]
}

// NewMS returns an empty queue.
func NewMS[T any](opts ...Option) *MSQueue[T] {
	var o options
	o.apply(opts)
	q := new(MSQueue[T])
	q.q.name = o.name
	q.q.init()
	return q
}

// Enqueue adds v at the end. It never waits. The error is ErrClosed after Close,
// else nil.
func (q *MSQueue[T]) Enqueue(v T) error { return q.q.enqueue(v) }

// EnqueueBatch adds vs at the end, all at one moment: no values of others come in
// between, and Close comes before all or after all. It never waits. It returns
// len(vs), or 0 and ErrClosed after Close. vs is not kept.
func (q *MSQueue[T]) EnqueueBatch(vs []T) (int, error) {
	if len(vs) == 0 {
		return 0, nil
	}
	first, last := q.q.stashes.chain(vs)
	if err := q.q.link(first, last, len(vs)); err != nil {
		forget(first, last)
		return 0, err
	}
	return len(vs), nil
}

// TryDequeue takes the oldest value. It returns the zero value and false if the
// queue was empty at some moment of the call, and never waits.
func (q *MSQueue[T]) TryDequeue() (T, bool) { return q.q.dequeue() }

// Peek returns the oldest value and leaves it in the queue; see [Queue.Peek].
func (q *MSQueue[T]) Peek() (T, bool) { return q.q.peek() }

// Dequeue takes the oldest value, and waits for one if there is none; see
// [Queue.Dequeue], which does the same about ctx and Close.
func (q *MSQueue[T]) Dequeue(ctx context.Context) (v T, err error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return v, ctxerr.From(ctx)
	}
	if v, ok := q.q.dequeue(); ok {
		return v, nil
	}
	err = q.q.notEmpty.await(ctx, func() (ok bool) {
		v, ok = q.q.dequeue()
		return ok
	}, q.q.isOver, q.q.isInhabited)
	return v, err
}

// TryDequeueBatch takes the oldest values, up to len(buf), all at one moment, and
// returns how many; it never waits, and returns 0 for an empty buf.
func (q *MSQueue[T]) TryDequeueBatch(buf []T) int {
	if len(buf) == 0 {
		return 0
	}
	return q.q.take(buf)
}

// DequeueBatch is like TryDequeueBatch but waits until there is at least one
// value; see [Queue.DequeueBatch].
func (q *MSQueue[T]) DequeueBatch(ctx context.Context, buf []T) (n int, err error) {
	notNil(ctx)
	if ctx.Err() != nil || len(buf) == 0 {
		return 0, ctxerr.From(ctx)
	}
	if n := q.q.take(buf); n > 0 {
		return n, nil
	}
	err = q.q.notEmpty.await(ctx, func() bool {
		n = q.q.take(buf)
		return n > 0
	}, q.q.isOver, q.q.isInhabited)
	return n, err
}

// Drain returns an iterator that takes and yields values until the queue is empty;
// see [Queue.Drain].
func (q *MSQueue[T]) Drain() iter.Seq[T] { return drain(q.TryDequeue) }

// All returns an iterator that takes and yields values, waiting for them; see
// [Queue.All].
func (q *MSQueue[T]) All(ctx context.Context) iter.Seq2[T, error] { return all(ctx, q.Dequeue) }

// Len returns the number of values that were in the queue at one moment of the
// call.
func (q *MSQueue[T]) Len() int { return q.q.sample() }

// Close does not wait: it makes further enqueues return ErrClosed. Values in the
// queue stay to be dequeued; goroutines that wait for one when none is left return
// ErrClosed. It always returns nil and may be called any number of times.
func (q *MSQueue[T]) Close() error {
	q.q.close()
	return nil
}

func (q *msCore[T]) close() {
	for {
		t := q.tail.Load()
		if t == nil {
			q.init()
			continue
		}
		step(closing)
		next := t.next.Load()
		switch {
		case next == &q.end:
		case next == t:
			q.tail.CompareAndSwap(t, q.head.Load())
			continue
		case next != nil:
			q.tail.CompareAndSwap(t, next)
			continue
		case !t.next.CompareAndSwap(nil, &q.end):
			continue
		}
		step(closed)
		q.notEmpty.wakeAll()
		return
	}
}

// Stats returns the queue's counters.
func (q *MSQueue[T]) Stats() Stats {
	c := &q.q
	s := Stats{Name: c.name}
	s.Waits, s.Wakeups = c.notEmpty.waits.Load(), c.notEmpty.wakeups.Load()
	c.sample()
	h, t, _ := c.counts()
	s.Enqueued, s.Dequeued, s.Len = t-c.origin, h-c.origin, int(t-h)
	s.HighWater = max(int(c.highWater.n.Load()), s.Len)
	s.EnqueueLosses, s.DequeueLosses = c.enqGov.losses.Load(), c.deqGov.losses.Load()
	return s
}
