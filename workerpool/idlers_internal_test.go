package workerpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Last in, first out; the first in end first; low is how many were never needed.
func TestIdlers(t *testing.T) {
	var s idlers[int]
	var all []*worker[int]
	for range 5 {
		w := &worker[int]{wake: make(chan bool, 1)}
		all = append(all, w)
		s.push(w)
	}
	s.mark()
	require.Equal(t, 5, s.low)
	require.Same(t, all[4], s.pop())
	require.Same(t, all[3], s.pop())
	s.push(all[4])
	require.Equal(t, 3, s.low)
	require.Equal(t, 4, s.len())
	s.end(2)
	require.Equal(t, 1, s.low, "one more has slept all the time")
	for i, w := range all {
		select {
		case look := <-w.wake:
			require.False(t, look)
			require.Less(t, i, 2)
		default:
			require.GreaterOrEqual(t, i, 2)
		}
	}
	require.Same(t, all[4], s.pop())
	require.Same(t, all[2], s.pop())
	require.Zero(t, s.len())
	for _, w := range s.stack[:cap(s.stack)] {
		require.Nil(t, w, "an ended worker is collectable")
	}
}
