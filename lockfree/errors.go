package lockfree

import "errors"

var (
	// ErrClosed is returned by an enqueue after Close, and by a waiting dequeue
	// when the queue is closed and nothing is left in it.
	ErrClosed = errors.New("lockfree: queue closed")

	// ErrFull is returned by a [Bounded] queue's enqueue that does not wait, when
	// Cap values are in the queue.
	ErrFull = errors.New("lockfree: queue full")
)
