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
