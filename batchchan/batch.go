package batchchan

import "time"

// batch is one batch on its way, or in the free list. What cutting and taking
// touch comes first, on one cache line: it moves between cores with every batch.
type batch[T any] struct {
	next    *batch[T]
	items   []T
	firstAt time.Duration
	seq     uint64
	bytes   int
	reason  Reason
	failed  int // items that failed for good, for core.complete

	n int // items delivered
	parts[T]
	off    int    // items[:off] were dropped by DropOldest
	ticket uint64 // of the taking: dense
	span
	retries int
	panics  int
	sizes   []int             // of the items, where SizeOf is used
	end     uint64            // position of its last item, see backlog_leave.go
	again   *again[T]         // of a batch that failed and is not through
	wrap    func(error) error // what OnError's errors are wrapped in; may be nil
	ran     chan struct{}     // closed when the processor has returned, where a sender waits for that
}

// batchList is a FIFO of batches: a linked list, because a ring of fixed size would
// have to be sized for batches of one item.
type batchList[T any] struct{ head, tail *batch[T] }

func (l *batchList[T]) push(b *batch[T]) {
	if l.tail == nil {
		l.head = b
	} else {
		l.tail.next = b
	}
	l.tail = b
}

func (l *batchList[T]) pop() *batch[T] {
	b := l.head
	if l.head = b.next; l.head == nil {
		l.tail = nil
	}
	b.next = nil
	return b
}
