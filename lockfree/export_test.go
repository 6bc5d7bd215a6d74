package lockfree

import (
	"context"
	"iter"
	"testing"
)

// Interface is what the queues share in the tests.
type Interface[T any] interface {
	TryEnqueue(v T) error
	TryEnqueueBatch(vs []T) (int, error)
	TryDequeue() (T, bool)
	Peek() (T, bool)
	Dequeue(ctx context.Context) (T, error)
	TryDequeueBatch(buf []T) int
	DequeueBatch(ctx context.Context, buf []T) (int, error)
	Drain() iter.Seq[T]
	All(ctx context.Context) iter.Seq2[T, error]
	Len() int
	Close() error
	Stats() Stats
}

// Enqueues of a Queue and an MSQueue never wait; a Bounded's that do not are called
// Try. Here they have one name.
func (q *Queue[T]) TryEnqueue(v T) error                  { return q.Enqueue(v) }
func (q *Queue[T]) TryEnqueueBatch(vs []T) (int, error)   { return q.EnqueueBatch(vs) }
func (q *MSQueue[T]) TryEnqueue(v T) error                { return q.Enqueue(v) }
func (q *MSQueue[T]) TryEnqueueBatch(vs []T) (int, error) { return q.EnqueueBatch(vs) }

// tinyRings makes a list use rings of 2 to 8 slots, as in a chaos build.
func (l *list[T]) tinyRings() { l.first, l.largest = 2, 8 }

// ticket takes the next ticket, as a producer that stalls before it publishes.
func (l *list[T]) ticket() (*ring[T], uint64) {
	for {
		r := l.tail.Load()
		at := r.tail.Load()
		if at&noMore == noMore {
			panic("the queue is closed")
		}
		if at&sealed != 0 {
			if n := l.grow(r, at&^flags, 1); n != nil {
				l.link(r, n)
			}
		} else if r.ready(at, 1) == 0 {
			l.unblock(r, at)
		} else if r.tail.CompareAndSwap(at, at+one) {
			return r, at
		}
	}
}

// kind is one of the package's queues, made small so that its corners come often.
type kind[T any] struct {
	name string
	make func() Interface[T]
}

// kinds returns the queues: with tiny rings, their first ticket being origin.
func kinds[T any](origin uint64) []kind[T] {
	return []kind[T]{
		{"Queue", func() Interface[T] {
			q := new(Queue[T])
			q.l.tinyRings()
			q.l.origin = origin * one
			return q
		}},
		{"Bounded", func() Interface[T] { return newTinyBounded[T](3, origin) }},
		{"MSQueue", func() Interface[T] {
			q := new(MSQueue[T])
			q.q.origin = origin
			q.q.stashes.prepare()
			return q
		}},
	}
}

func newTinyBounded[T any](capacity int, origin uint64) *Bounded[T] {
	q := new(Bounded[T])
	q.l.tinyRings()
	q.l.origin = origin * one
	q.l.setCapacity(capacity)
	return q
}

// roomyKinds are kinds that a test can fill at will: the Bounded is large.
func roomyKinds[T any](origin uint64) []kind[T] {
	ks := kinds[T](origin)
	ks[1].make = func() Interface[T] { return newTinyBounded[T](1<<30, origin) }
	return ks
}

// Kind is kind, for the tests of public behaviour.
type Kind[T any] struct {
	Name string
	Make func() Interface[T]
}

// Kinds are kinds, and RoomyKinds roomyKinds, whose first ticket is the first there is.
func Kinds[T any]() []Kind[T]      { return exported(kinds[T](0)) }
func RoomyKinds[T any]() []Kind[T] { return exported(roomyKinds[T](0)) }

func exported[T any](ks []kind[T]) (out []Kind[T]) {
	for _, k := range ks {
		out = append(out, Kind[T]{k.name, k.make})
	}
	return out
}

// waitersOf returns how many goroutines wait in q, as its signallers see it.
func waitersOf[T any](q Interface[T]) (empty, full int64) {
	notEmpty, notFull := eventcounts(q)
	if notFull == nil {
		notFull = new(waiters)
	}
	return notEmpty.unclaimed.Load(), notFull.unclaimed.Load()
}

// eventcounts returns what goroutines wait in; notFull is nil if they never do.
func eventcounts[T any](q Interface[T]) (notEmpty, notFull *waiters) {
	switch q := q.(type) {
	case *Queue[T]:
		return &q.l.notEmpty, nil
	case *Bounded[T]:
		return &q.l.notEmpty, &q.l.notFull
	case *MSQueue[T]:
		return &q.q.notEmpty, nil
	}
	panic("unknown queue")
}

// nobodyLeft fails the test if signals or registrations are left in q, in which no
// goroutine is at work or waits.
func nobodyLeft[T any](t *testing.T, q Interface[T]) {
	t.Helper()
	notEmpty, notFull := eventcounts(q)
	for name, w := range map[string]*waiters{"notEmpty": notEmpty, "notFull": notFull} {
		if w == nil {
			continue
		}
		if n, tokens := w.unclaimed.Load(), len(w.channel()); n != 0 || tokens != 0 {
			t.Fatalf("%s: %d waiters and %d signals are left where nobody is", name, n, tokens)
		}
	}
}
