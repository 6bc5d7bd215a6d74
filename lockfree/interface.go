package lockfree

import (
	"context"
	"iter"
)

// Interface is what [Queue], [Bounded] and [MSQueue] share. All methods are safe
// for concurrent use by any number of goroutines.
type Interface[T any] interface {
	// TryEnqueue adds v without waiting. It returns ErrClosed after Close and
	// ErrFull when a bounded queue is full.
	TryEnqueue(v T) error
	// EnqueueBatch adds vs in order without waiting and returns how many were
	// added: fewer than len(vs) only together with ErrClosed or ErrFull.
	EnqueueBatch(vs []T) (int, error)

	// TryDequeue takes the oldest value, or returns false if the queue was empty
	// at some moment of the call.
	TryDequeue() (T, bool)
	// Dequeue waits for a value, for ctx to end, or for the queue to be closed
	// and drained (ErrClosed).
	Dequeue(ctx context.Context) (T, error)
	// DequeueBatch moves up to len(buf) of the oldest values into buf, without
	// waiting, and returns how many.
	DequeueBatch(buf []T) int
	// DequeueBatchWait is DequeueBatch that waits for at least one value, as
	// Dequeue does.
	DequeueBatchWait(ctx context.Context, buf []T) (int, error)

	// Drain takes and yields values until the queue is empty.
	Drain() iter.Seq[T]
	// Consume takes and yields values, waiting for them, until ctx ends or the
	// queue is closed and drained.
	Consume(ctx context.Context) iter.Seq[T]

	// Len is the number of values in the queue.
	Len() int
	// Close refuses further values. What is in the queue stays to be dequeued.
	Close() error
	// Stats returns the queue's counters.
	Stats() Stats
}

var (
	_ Interface[int] = (*Queue[int])(nil)
	_ Interface[int] = (*Bounded[int])(nil)
	_ Interface[int] = (*MSQueue[int])(nil)
)
