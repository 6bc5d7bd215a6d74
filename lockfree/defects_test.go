package lockfree

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each test here is a defect found in other queues, by name.

// E1 links A and stalls before it moves the tail; E2 enqueues B; both are
// dequeued; E1 goes on. A tail moved with a freshly loaded expected value goes back
// to A, behind head, and a dequeue of the empty queue spins for ever.
func TestDefectTailGoesBackwards(t *testing.T) {
	q := NewMS[string]()
	tail := q.q.tail.Load()
	a := &msNode[string]{val: "A", seq: tail.seq + 1}
	require.True(t, tail.next.CompareAndSwap(nil, a)) // E1 stalls here
	require.NoError(t, q.Enqueue("B"))
	for _, want := range []string{"A", "B"} {
		v, ok := q.TryDequeue()
		require.True(t, ok)
		require.Equal(t, want, v)
	}
	before := q.q.tail.Load()
	q.q.tail.CompareAndSwap(tail, a) // E1 goes on as link does
	require.Same(t, before, q.q.tail.Load(), "the tail went back")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, ok := q.TryDequeue()
		require.False(t, ok)
	}()
	finishes(t, done, "a dequeue of the empty queue")
	require.NoError(t, q.Enqueue("C"))
	v, _ := q.TryDequeue()
	require.Equal(t, "C", v)
}

// Dequeues pass a tail whose mover has stalled, and cut the node it stands on.
func TestDefectTailOnACutNode(t *testing.T) {
	for lag := range 2 * cutEvery {
		q := NewMS[int]()
		for i := range lag {
			require.NoError(t, q.Enqueue(i))
			q.TryDequeue()
		}
		stuck := q.q.tail.Load()
		_, err := q.TryEnqueueBatch(make([]int, 3*cutEvery))
		require.NoError(t, err)
		q.q.tail.Store(stuck) // as if its enqueuer had not come to move it
		for range 3 * cutEvery {
			_, ok := q.TryDequeue()
			require.True(t, ok)
		}
		require.NoError(t, q.Enqueue(7))
		require.Equal(t, 1, q.Len())
		v, ok := q.TryDequeue()
		require.True(t, ok)
		require.Equal(t, 7, v)
	}
}

// A Try that gives up when it loses a race says "empty" of a queue that never is.
func TestDefectEmptyWhileInhabited(t *testing.T) {
	for _, k := range RoomyKinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			const goroutines = 8
			// More values than goroutines: one is in the queue at every moment.
			for range 2 * goroutines {
				require.NoError(t, q.TryEnqueue(1))
			}
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					for range scale(2000, 20_000, 200_000) {
						if _, ok := q.TryDequeue(); !ok {
							t.Error("empty while inhabited")
							return
						}
						_ = q.TryEnqueue(1)
					}
				})
			}
			wg.Wait()
			require.Equal(t, 2*goroutines, q.Len())
		})
	}
}

// A bounded ring refuses nearly everything once one producer stalls in it.
func TestDefectStalledProducerBlocksTheRing(t *testing.T) {
	for _, q := range []Interface[int]{New[int](), Must(NewBounded[int](64))} {
		var l *list[int]
		switch q := q.(type) {
		case *Queue[int]:
			l = &q.l
		case *Bounded[int]:
			l = &q.l
		}
		r, at := l.ticket() // a producer stalls
		for i := range 20_000 {
			require.NoError(t, q.TryEnqueue(i), i)
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.Equal(t, i, v)
		}
		require.False(t, r.put(at, 1), "it comes back too late")
		require.NoError(t, q.TryEnqueue(5))
		v, _ := q.TryDequeue()
		require.Equal(t, 5, v)
		s := q.Stats()
		require.EqualValues(t, 20_001, s.Enqueued)
		require.EqualValues(t, 20_001, s.Dequeued)
		require.Positive(t, s.Barred)
	}
}

// The same for a consumer that stalls with the value in hand.
func TestDefectStalledConsumerBlocksTheRing(t *testing.T) {
	for _, q := range []Interface[int]{New[int](), Must(NewBounded[int](64))} {
		var l *list[int]
		switch q := q.(type) {
		case *Queue[int]:
			l = &q.l
		case *Bounded[int]:
			l = &q.l
		}
		require.NoError(t, q.TryEnqueue(42))
		r := l.head.Load()
		h := r.head.Load()
		require.True(t, r.head.CompareAndSwap(h, h+one)) // a consumer stalls
		for i := range 20_000 {
			require.NoError(t, q.TryEnqueue(i), i)
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.Equal(t, i, v)
		}
		require.Equal(t, 42, r.take(h), "its value is untouched")
		require.EqualValues(t, 1, q.Stats().Rings)
		require.Zero(t, q.Len())
	}
}

// The same beside batches of each size: none of them may take the slot that the
// consumer still has, wherever that is in its group and in the batch.
func TestDefectBatchesTakeTheSlotOfAStalledConsumer(t *testing.T) {
	for place := range 16 {
		for size := 1; size <= 17; size++ {
			q := Must(NewBounded[int](64))
			for range place {
				require.NoError(t, q.TryEnqueue(0))
				_, ok := q.TryDequeue()
				require.True(t, ok)
			}
			require.NoError(t, q.TryEnqueue(42))
			r := q.l.head.Load()
			h := r.head.Load()
			require.True(t, r.head.CompareAndSwap(h, h+one)) // a consumer stalls
			buf := make([]int, size)
			for next := 0; next < 300; next += size {
				for i := range buf {
					buf[i] = next + i
				}
				n, err := q.TryEnqueueBatch(buf)
				require.NoError(t, err)
				require.Equal(t, size, n)
				clear(buf)
				for got := 0; got < size; {
					n := q.TryDequeueBatch(buf[got:])
					require.NotZero(t, n)
					got += n
				}
				for i, v := range buf {
					require.Equal(t, next+i, v)
				}
				require.Equal(t, 42, *r.val(h), "place %d, batches of %d", place, size)
			}
			require.Equal(t, 42, r.take(h))
			require.Zero(t, q.Len())
		}
	}
}

// A producer that stalls must not make a bounded queue look full: it may yet be
// passed over, and then the queue was never full.
func TestDefectFullWhileEmpty(t *testing.T) {
	q := Must(NewBounded[int](1))
	r, at := q.l.ticket() // a producer stalls
	require.NoError(t, q.TryEnqueue(1))
	require.Equal(t, ErrFull, q.TryEnqueue(2))
	require.False(t, r.put(at, 3))
	require.Equal(t, 1, q.Len())
}

// Lengths that are the difference of two counters drift and underflow.
func TestDefectLenUnderflows(t *testing.T) {
	for _, k := range Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			most := 8
			if b, ok := q.(*Bounded[int]); ok {
				most = b.Cap()
			}
			var stop atomic.Bool
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for !stop.Load() {
						if q.TryEnqueue(1) == nil {
							for {
								if _, ok := q.TryDequeue(); ok {
									break
								}
							}
						}
					}
				})
			}
			_, exact := q.(*MSQueue[int])
			_, bounded := q.(*Bounded[int])
			var last Stats
			for deadline := time.Now().Add(50 * time.Millisecond); time.Now().Before(deadline); {
				s := q.Stats()
				if n := q.Len(); n < 0 || s.Len < 0 || (exact || bounded) && (n > most || s.Len > most) {
					t.Errorf("Len %d, %+v", n, s)
				}
				if s.Enqueued != s.Dequeued+uint64(s.Len) || exact && (s.Enqueued < last.Enqueued || s.Dequeued < last.Dequeued) {
					t.Errorf("%+v after %+v", s, last)
				}
				last = s
				runtime.Gosched()
			}
			stop.Store(true)
			wg.Wait()
			require.Zero(t, q.Len())
		})
	}
}

// Nodes recycled without tags are confused with their former selves within a
// million operations (ABA). Nodes here are not recycled; this is the workload that
// crashed.
func TestDefectABA(t *testing.T) {
	q := NewMS[*int]()
	var wg sync.WaitGroup
	var sum atomic.Int64
	n := scale(10_000, 50_000, 1_000_000)
	for range 8 {
		wg.Go(func() {
			for i := range n {
				v := i
				_ = q.Enqueue(&v)
				p, ok := q.TryDequeue()
				if !ok {
					t.Error("empty while inhabited")
					return
				}
				sum.Add(int64(*p))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	finishes(t, done, "the pairs")
	require.EqualValues(t, 8*int64(n)*int64(n-1)/2, sum.Load())
}
