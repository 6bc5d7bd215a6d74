package lockfree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A producer that wants to renew a group waits for a consumer that is about to leave.
// It is not scheduled again before others have brought the group on by two laps. It
// must not take the group back: the values of the later lap would be lost.
func TestRenewDoesNotTakeAGroupBack(t *testing.T) {
	var l list[int]
	require.NoError(t, l.enqueue(0))
	r := l.head.Load()
	first := r.base
	lap := r.lap()
	old := r.word(first).Load() // with a value: a consumer has not left
	require.EqualValues(t, full, old&state)
	next := func(want int) {
		v, ok := l.dequeue()
		require.True(t, ok)
		require.Equal(t, want, v)
	}
	next(0)
	i := 1
	for ; r.tail.Load() != first+2*lap; i++ { // to the group's third lap
		require.NoError(t, l.enqueue(i))
		next(i)
	}
	require.NoError(t, l.enqueue(i))
	require.Same(t, r, l.tail.Load())
	require.True(t, r.renew(first+lap, old), "the group is past the lap that was asked for")
	next(i)
	require.Zero(t, l.stats().Len)
}

// A sealed ring must refuse values, wherever its tickets are. A seal bit so high
// that the arithmetic of slots lost it once let sealed rings accept values.
func TestSealedRingRefuses(t *testing.T) {
	for _, start := range []uint64{0, 1, 1 << 29, 1 << 30, 1 << 59, 1 << 60, 1 << 61, NearWrap + 19, 1<<62 - 1} {
		q := Kinds[int](start)[0].Make().(*Queue[int])
		require.NoError(t, q.Enqueue(1))
		r := q.l.tail.Load()
		at := r.tail.Load()
		require.True(t, r.tail.CompareAndSwap(at, at|sealed))
		require.NoError(t, q.Enqueue(2))
		_, err := q.TryEnqueueBatch([]int{3, 4})
		require.NoError(t, err)
		require.Equal(t, at|sealed, r.tail.Load(), "the sealed ring gave no ticket")
		for want := 1; want <= 4; want++ {
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.Equal(t, want, v)
		}
		require.EqualValues(t, 2, q.Stats().Rings)
	}
}
