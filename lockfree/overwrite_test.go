package lockfree

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
)

func TestDropOldestKeepsTheLastN(t *testing.T) {
	for capacity := 1; capacity < 40; capacity++ {
		for _, q := range []*Bounded[int]{Must(NewBounded[int](capacity)), newTinyBounded[int](capacity, nearWrap)} {
			for i := range 3 * capacity {
				dropped, err := q.EnqueueDropOldest(i)
				require.NoError(t, err)
				require.Equal(t, i >= capacity, dropped == 1)
				require.LessOrEqual(t, dropped, 1)
				require.Equal(t, min(i+1, capacity), q.Len())
				v, ok := q.Peek()
				require.True(t, ok)
				require.Equal(t, max(0, i+1-capacity), v)
			}
			require.Equal(t, ErrFull, q.TryEnqueue(0))
			s := q.Stats()
			require.EqualValues(t, 3*capacity, s.Enqueued)
			require.EqualValues(t, 2*capacity, s.Dropped)
			require.Zero(t, s.Dequeued)
			require.Equal(t, capacity, s.HighWater)
			q.Close()
			_, err := q.EnqueueDropOldest(0)
			require.Equal(t, ErrClosed, err)
			next := 2 * capacity
			for v := range q.Drain() {
				require.Equal(t, next, v)
				next++
			}
			require.Equal(t, 3*capacity, next)
			require.EqualValues(t, capacity, q.Stats().Dequeued)
		}
	}
}

// TestDropOldestBesideEverything has goroutines that make others' values leave, that
// wait for room, that dequeue and that peek. Each producer's values come out in
// order, none twice, the length is never above the capacity, and the books balance.
func TestDropOldestBesideEverything(t *testing.T) {
	for _, capacity := range []int{1, 3, 50} {
		q := newTinyBounded[[2]int](capacity, 0)
		n := scale(2000, 20_000, 200_000)
		var dropped, got atomic.Int64
		var producers, others sync.WaitGroup
		var stop atomic.Bool
		for g := range 4 {
			producers.Go(func() {
				for i := range n {
					if g == 0 {
						if err := q.Enqueue(t.Context(), [2]int{g, i}); err != nil {
							t.Error(err)
						}
						continue
					}
					k, err := q.EnqueueDropOldest([2]int{g, i})
					if err != nil {
						t.Error(err)
					}
					dropped.Add(int64(k))
				}
			})
		}
		for range 2 {
			others.Go(func() {
				last := [4]int{-1, -1, -1, -1}
				buf := make([][2]int, 2)
				for {
					vs := buf[:q.TryDequeueBatch(buf)]
					for _, v := range vs {
						if v[1] <= last[v[0]] {
							t.Errorf("%d came after %d", v[1], last[v[0]])
						}
						last[v[0]] = v[1]
					}
					got.Add(int64(len(vs)))
					if len(vs) == 0 {
						if stop.Load() {
							return
						}
						runtime.Gosched()
					}
				}
			})
		}
		others.Go(func() {
			last := [4]int{}
			for !stop.Load() {
				if k := q.Len(); k > capacity {
					t.Errorf("%d values in a queue for %d", k, capacity)
				}
				if v, ok := q.Peek(); ok {
					if v[1] < last[v[0]] {
						t.Errorf("peeked %d after %d", v[1], last[v[0]])
					}
					last[v[0]] = v[1]
				}
				runtime.Gosched()
			}
		})
		done := make(chan struct{})
		go func() { producers.Wait(); stop.Store(true); others.Wait(); close(done) }()
		finishes(t, done, "producers or consumers")
		for range q.Drain() {
			got.Add(1)
		}
		s := q.Stats()
		require.EqualValues(t, 4*n, s.Enqueued)
		require.EqualValues(t, got.Load(), s.Dequeued)
		require.EqualValues(t, dropped.Load(), s.Dropped)
		require.EqualValues(t, 4*n, got.Load()+dropped.Load())
		require.LessOrEqual(t, s.HighWater, capacity)
	}
}

func TestPeek(t *testing.T) {
	for _, k := range kinds[int](0) {
		t.Run(k.name, func(t *testing.T) {
			q := k.make()
			_, ok := q.Peek()
			require.False(t, ok)
			for i := range 200 {
				require.NoError(t, q.TryEnqueue(i))
				require.NoError(t, q.TryEnqueue(i+1))
				for want := i; want < i+2; want++ {
					for range 2 {
						v, ok := q.Peek()
						require.True(t, ok)
						require.Equal(t, want, v)
					}
					v, _ := q.TryDequeue()
					require.Equal(t, want, v)
				}
				_, ok := q.Peek()
				require.False(t, ok)
			}
			require.NoError(t, q.TryEnqueue(7))
			q.Close()
			v, ok := q.Peek()
			require.True(t, ok)
			require.Equal(t, 7, v)
		})
	}
	_, ok := new(Queue[int]).Peek()
	require.False(t, ok)
	_, ok = new(MSQueue[int]).Peek()
	require.False(t, ok)
}

// TestPeekPassesOverAStalledProducer finds the oldest value that is there.
func TestPeekPassesOverAStalledProducer(t *testing.T) {
	q := New[int]()
	r, at := q.l.ticket()
	_, ok := q.Peek()
	require.False(t, ok)
	require.NoError(t, q.Enqueue(5))
	v, ok := q.Peek()
	require.True(t, ok)
	require.Equal(t, 5, v)
	require.False(t, r.put(at, 1))
	require.Equal(t, 1, q.Len())
}

// A value that is taken while somebody peeks at it is not written to until nobody
// reads it, and is not kept after that; nor does its slot stay out of use.
func TestPeekedValueIsFreedByTheLastPeeker(t *testing.T) {
	q := New[*heavy]()
	var ps []weak.Pointer[heavy]
	for i := range 100 {
		v := new(heavy)
		ps = append(ps, weak.Make(v))
		require.NoError(t, q.Enqueue(v))
		r := q.l.head.Load()
		h := r.head.Load()
		for range 2 {
			r.peekers.join() // two that read it
		}
		if i%2 == 0 {
			_, ok := q.TryDequeue()
			require.True(t, ok)
		} else {
			require.Equal(t, 1, q.TryDequeueBatch(make([]*heavy, 3)))
		}
		require.Same(t, v, *r.val(h), "still there to be read")
		r.peekers.leave(r.release)
		require.Same(t, v, *r.val(h), "one still reads")
		r.peekers.leave(r.release)
		require.Nil(t, *r.val(h))
	}
	require.Zero(t, alive(ps))
	require.EqualValues(t, 1, q.Stats().Rings, "the slots are in use again")
	require.Zero(t, q.Stats().Barred)

	ms := NewMS[*heavy]()
	v := new(heavy)
	ps = []weak.Pointer[heavy]{weak.Make(v)}
	require.NoError(t, ms.Enqueue(v))
	v = nil
	ms.q.peekers.join()
	_, ok := ms.TryDequeue()
	require.True(t, ok)
	require.Equal(t, 1, alive(ps))
	ms.q.peekers.leave((*msNode[*heavy]).clear)
	require.Zero(t, alive(ps))
	runtime.KeepAlive(ms)
}

// TestPeekBesideEverything lets many peek while others work, with values that a torn
// read would show, and looks for what is kept.
func TestPeekBesideEverything(t *testing.T) {
	type twice struct{ a, b *int }
	for _, k := range kinds[twice](0) {
		t.Run(k.name, func(t *testing.T) {
			q := k.make()
			var workers, peekers sync.WaitGroup
			var stop atomic.Bool
			for range 3 {
				workers.Go(func() {
					buf := make([]twice, 2)
					for i := range scale(2000, 20_000, 200_000) {
						v := new(int)
						_ = q.TryEnqueue(twice{v, v})
						if i%3 == 0 {
							q.TryDequeueBatch(buf)
						} else {
							q.TryDequeue()
						}
					}
				})
				peekers.Go(func() {
					for !stop.Load() {
						if v, ok := q.Peek(); ok && (v.a == nil || v.a != v.b) {
							t.Error("a torn value")
							return
						}
					}
				})
			}
			done := make(chan struct{})
			go func() { workers.Wait(); stop.Store(true); peekers.Wait(); close(done) }()
			finishes(t, done, "the workers")
			for range q.Drain() {
			}
			switch q := q.(type) {
			case *Queue[twice]:
				require.Nil(t, q.l.head.Load().peekers.kept.Load())
			case *Bounded[twice]:
				require.Nil(t, q.l.head.Load().peekers.kept.Load())
			case *MSQueue[twice]:
				require.Nil(t, q.q.peekers.kept.Load())
			}
		})
	}
}
