package lockfree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A full queue is asked for room again and again. Each look counts only the tickets
// that no look before has counted.
func TestEachTicketIsCountedOnce(t *testing.T) {
	q := Must(NewBounded[int](1000))
	for i := range 1000 {
		require.NoError(t, q.TryEnqueue(i))
	}
	tail := func() uint64 { _, t := q.l.back(); return t }
	require.Zero(t, q.l.limit.counted.Load(), "nobody had to count")
	for i := range 100 {
		require.Equal(t, ErrFull, q.TryEnqueue(0))
		require.Equal(t, tail(), q.l.limit.counted.Load())
		_, ok := q.TryDequeue()
		require.True(t, ok)
		require.NoError(t, q.TryEnqueue(i))
		require.Equal(t, tail()-one, q.l.limit.counted.Load(), "the new one is left to count")
	}
}

// A ticket that was passed over has no value: what was counted ends before it, or
// the queue would be called full with a value less than it holds.
func TestDeadTicketIsNotCounted(t *testing.T) {
	for stalled := range 10 {
		q := Must(NewBounded[int](10))
		var r *ring[int]
		var at uint64
		for i := range 10 {
			if i == stalled {
				r, at = q.l.ticket()
			}
			require.NoError(t, q.TryEnqueue(i))
		}
		require.Equal(t, 10, q.Len())
		for range 3 {
			require.Equal(t, ErrFull, q.TryEnqueue(10))
			require.Zero(t, q.l.limit.counted.Load())
		}
		require.False(t, r.put(at, 99), "it was passed over")
		for i := range 10 {
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.Equal(t, i, v)
			require.NoError(t, q.TryEnqueue(10+i))
			require.Equal(t, ErrFull, q.TryEnqueue(0))
			require.Equal(t, 10, q.Len())
		}
	}
}

// Who counts what was dequeued may read head, and only then the passed tickets, to which
// others went on adding.
func TestDequeuedIsNeverBelowNothing(t *testing.T) {
	q := New[int]()
	q.l.passed.Add(3)
	q.l.skipped.Add(3)
	require.Zero(t, q.Stats().Dequeued)
	require.Zero(t, q.Stats().Enqueued)
}
