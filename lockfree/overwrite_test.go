package lockfree_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/lockfree"
)

func TestDropOldestKeepsTheLastN(t *testing.T) {
	for capacity := 1; capacity < 40; capacity++ {
		for _, q := range []*lockfree.Bounded[int]{lockfree.Must(lockfree.NewBounded[int](capacity)), lockfree.NewTinyBounded[int](capacity, lockfree.NearWrap)} {
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
			require.Equal(t, lockfree.ErrFull, q.TryEnqueue(0))
			s := q.Stats()
			require.EqualValues(t, 3*capacity, s.Enqueued)
			require.EqualValues(t, 2*capacity, s.Dropped)
			require.Zero(t, s.Dequeued)
			require.Equal(t, capacity, s.HighWater)
			q.Close()
			_, err := q.EnqueueDropOldest(0)
			require.Equal(t, lockfree.ErrClosed, err)
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
		q := lockfree.NewTinyBounded[[2]int](capacity, 0)
		n := lockfree.Scale(2000, 20_000, 200_000)
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
		lockfree.Finishes(t, done, "producers or consumers")
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
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
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
	_, ok := new(lockfree.Queue[int]).Peek()
	require.False(t, ok)
	_, ok = new(lockfree.MSQueue[int]).Peek()
	require.False(t, ok)
}

// TestPeekPassesOverAStalledProducer finds the oldest value that is there.
func TestPeekPassesOverAStalledProducer(t *testing.T) {
	q := lockfree.New[int]()
	publish := q.Stall()
	_, ok := q.Peek()
	require.False(t, ok)
	require.NoError(t, q.Enqueue(5))
	v, ok := q.Peek()
	require.True(t, ok)
	require.Equal(t, 5, v)
	require.False(t, publish(1))
	require.Equal(t, 1, q.Len())
}

// TestPeekBesideEverything lets many peek while others work, with values that a torn
// read would show, and looks for what is kept.
func TestPeekBesideEverything(t *testing.T) {
	type twice struct{ a, b *int }
	for _, k := range lockfree.Kinds[twice](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			var workers, peekers sync.WaitGroup
			var stop atomic.Bool
			for range 3 {
				workers.Go(func() {
					buf := make([]twice, 2)
					for i := range lockfree.Scale(2000, 20_000, 200_000) {
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
			lockfree.Finishes(t, done, "the workers")
			for range q.Drain() {
			}
			lockfree.NothingKept(t, q)
		})
	}
}
