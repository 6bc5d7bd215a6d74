package lockfreebench

import (
	"context"

	"github.com/poundlock/poundlock/lockfree"
)

var background = context.Background()

var queue = Peer{nameQueue, "Queue", func() Queue {
	q := lockfree.New[int]()
	return Queue{
		Put:      func(v int) { _ = q.Enqueue(v) },
		TryGet:   func() (int, bool) { return q.TryDequeue() },
		Get:      func() int { v, _ := q.Dequeue(background); return v },
		PutBatch: func(vs []int) { _, _ = q.EnqueueBatch(vs) },
		GetBatch: q.TryDequeueBatch,
		Stats:    func() { q.Stats() },
	}
}}

var bounded = Peer{nameBounded, "Bounded of 1024", func() Queue {
	q := lockfree.Must(lockfree.NewBounded[int](capacity))
	return Queue{
		Put:      func(v int) { _ = q.Enqueue(background, v) },
		TryGet:   func() (int, bool) { return q.TryDequeue() },
		Get:      func() int { v, _ := q.Dequeue(background); return v },
		PutBatch: func(vs []int) { _, _ = q.EnqueueBatch(background, vs) },
		GetBatch: q.TryDequeueBatch,
		Stats:    func() { q.Stats() },
		Capacity: capacity,
	}
}}

var msqueue = Peer{nameMS, "MSQueue", func() Queue {
	q := lockfree.NewMS[int]()
	return Queue{
		Put:      func(v int) { _ = q.Enqueue(v) },
		TryGet:   func() (int, bool) { return q.TryDequeue() },
		Get:      func() int { v, _ := q.Dequeue(background); return v },
		PutBatch: func(vs []int) { _, _ = q.EnqueueBatch(vs) },
		GetBatch: q.TryDequeueBatch,
		Stats:    func() { q.Stats() },
	}
}}
