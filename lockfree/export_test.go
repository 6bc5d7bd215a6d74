package lockfree

import (
	"context"
	"iter"
	"testing"
)

const (
	RaceEnabled   = raceEnabled
	Chaotic       = chaotic
	MostCapacity  = maxCapacity
	NodesPerChunk = chunkNodes
)

// NearWrap is a first ticket just before the words overflow.
const NearWrap = 1<<62 - 20

// What the tests from outside share with those from inside.
var (
	Scale     = scale
	Complete  = complete
	WithProcs = withProcs
	Finishes  = finishes
	Hang      = hang
)

// Stall takes the next ticket, as a producer that stalls before it publishes, and
// returns the function that publishes then. That reports false if it comes too late.
func (q *Queue[T]) Stall() (publish func(T) bool) {
	r, at := q.l.ticket()
	return func(v T) bool { return r.put(at, v) }
}

// NothingKept fails the test if a value that was peeked at is kept.
func NothingKept[T any](t *testing.T, q Interface[T]) {
	t.Helper()
	kept := false
	switch q := q.(type) {
	case *Queue[T]:
		kept = q.l.head.Load().peekers.kept.Load() != nil
	case *Bounded[T]:
		kept = q.l.head.Load().peekers.kept.Load() != nil
	case *MSQueue[T]:
		kept = q.q.peekers.kept.Load() != nil
	}
	if kept {
		t.Fatal("a value that was peeked at is kept")
	}
}

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

// Kind is one of the package's queues, made small so that its corners come often.
type Kind[T any] struct {
	Name string
	Make func() Interface[T]
}

// Kinds returns the queues: with tiny rings, their first ticket being origin.
func Kinds[T any](origin uint64) []Kind[T] {
	return []Kind[T]{
		{"Queue", func() Interface[T] {
			q := new(Queue[T])
			q.l.tinyRings()
			q.l.origin = origin * one
			return q
		}},
		{"Bounded", func() Interface[T] { return NewTinyBounded[T](3, origin) }},
		{"MSQueue", func() Interface[T] {
			q := new(MSQueue[T])
			q.q.origin = origin
			q.q.stashes.prepare()
			return q
		}},
	}
}

func NewTinyBounded[T any](capacity int, origin uint64) *Bounded[T] {
	q := new(Bounded[T])
	q.l.tinyRings()
	q.l.origin = origin * one
	q.l.setCapacity(capacity)
	return q
}

// RoomyKinds are Kinds that a test can fill at will: the Bounded is large.
func RoomyKinds[T any](origin uint64) []Kind[T] {
	ks := Kinds[T](origin)
	ks[1].Make = func() Interface[T] { return NewTinyBounded[T](1<<30, origin) }
	return ks
}

// WaitersOf returns how many goroutines wait in q, as its signallers see it.
func WaitersOf[T any](q Interface[T]) (empty, full int64) {
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

// NobodyLeft fails the test if signals or registrations are left in q, in which no
// goroutine is at work or waits.
func NobodyLeft[T any](t *testing.T, q Interface[T]) {
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
