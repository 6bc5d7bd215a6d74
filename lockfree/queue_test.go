package lockfree_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/lockfree"
)

func TestConstructorsRejectNonsense(t *testing.T) {
	most := min(int64(lockfree.MostCapacity), math.MaxInt)
	for _, capacity := range []int{0, -3, math.MinInt, math.MaxInt} {
		q, err := lockfree.NewBounded[int](capacity)
		if int64(capacity) == most { // where an int has 32 bits
			require.NoError(t, err)
			continue
		}
		require.Nil(t, q)
		require.EqualError(t, err, fmt.Sprintf("lockfree: Bounded: capacity %d is not in 1 to %d", capacity, most))
		require.PanicsWithError(t, err.Error(), func() { lockfree.Must(lockfree.NewBounded[int](capacity)) })
	}
	largest := lockfree.Must(lockfree.NewBounded[int](int(most)))
	require.EqualValues(t, most, largest.Cap())
	require.NoError(t, largest.TryEnqueue(1))
	require.Equal(t, 1, largest.Len())
	require.Panics(t, func() { lockfree.WithRings(0, 4) })
	require.Panics(t, func() { lockfree.WithRings(8, 4) })
	require.NotPanics(t, func() { lockfree.New[int](lockfree.WithRings(1, 1)) })
	require.NotPanics(t, func() { lockfree.Must(lockfree.NewBounded[int](1 << 30)) })
}

func TestBoundedIsExact(t *testing.T) {
	for capacity := 1; capacity < 40; capacity++ {
		q := lockfree.NewTinyBounded[int](capacity, 0)
		require.Equal(t, capacity, q.Cap())
		for round := range 5 {
			for i := range capacity {
				require.NoError(t, q.TryEnqueue(round+i))
			}
			require.Equal(t, lockfree.ErrFull, q.TryEnqueue(0))
			n, err := q.TryEnqueueBatch([]int{1, 2})
			require.Zero(t, n)
			require.Equal(t, lockfree.ErrFull, err)
			require.Equal(t, capacity, q.Len())
			_, ok := q.TryDequeue()
			require.True(t, ok)
			n, err = q.TryEnqueueBatch([]int{round + capacity, 2})
			require.Equal(t, 1, n)
			require.Equal(t, lockfree.ErrFull, err)
			buf := make([]int, capacity+1)
			require.Equal(t, capacity, q.TryDequeueBatch(buf))
			require.Equal(t, round+1, buf[0])
			require.Equal(t, round+capacity, buf[capacity-1])
		}
		require.Equal(t, capacity, q.Stats().Cap)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if lockfree.RaceEnabled || lockfree.Chaotic {
		t.Skip("allocation counts are for the usual build")
	}
	ctx := t.Context()
	buf := make([]int, 64)
	q, b := lockfree.New[int](), lockfree.Must(lockfree.NewBounded[int](100))
	for name, f := range map[string]func(){
		"Queue":         func() { _ = q.Enqueue(1); q.TryDequeue() },
		"Queue wait":    func() { _ = q.Enqueue(1); _, _ = q.Dequeue(ctx) },
		"Queue batch":   func() { _, _ = q.TryEnqueueBatch(buf); q.TryDequeueBatch(buf) },
		"Queue empty":   func() { q.TryDequeue() },
		"Queue stats":   func() { q.Stats(); q.Len() },
		"Bounded":       func() { _ = b.Enqueue(ctx, 1); _, _ = b.Dequeue(ctx) },
		"Bounded batch": func() { _, _ = b.EnqueueBatch(ctx, buf); _, _ = b.DequeueBatch(ctx, buf) },
		"Bounded full": func() {
			for b.TryEnqueue(1) == nil {
			}
			b.TryDequeueBatch(buf)
		},
	} {
		for range 500 { // until the rings have their size
			f()
		}
		require.Zero(t, testing.AllocsPerRun(1000, f), name)
	}
	ms := lockfree.NewMS[int]()
	chunks := testing.AllocsPerRun(10, func() {
		for range 10 * lockfree.NodesPerChunk {
			_ = ms.Enqueue(1)
			ms.TryDequeue()
		}
	})
	if rt.Pinned {
		require.LessOrEqual(t, chunks, 11.0, "a chunk for 15 values")
	} else {
		require.EqualValues(t, 10*lockfree.NodesPerChunk, chunks, "a node for each")
	}
}
