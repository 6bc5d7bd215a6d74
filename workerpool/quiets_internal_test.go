package workerpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A Wait ends when nothing is queued and nothing runs, a Pause when nothing runs; one
// that was given up is told nothing.
func TestQuiets(t *testing.T) {
	over := func(w *quietWaiter) bool {
		select {
		case <-w.done:
			return true
		default:
			return false
		}
	}
	var q quiets
	require.False(t, q.some.Load())
	pause, wait, left := q.join(true), q.join(false), q.join(false)
	require.True(t, q.some.Load())
	q.tell(true, false)
	q.tell(false, false)
	require.False(t, over(pause) || over(wait), "a task runs")
	q.tell(false, true)
	require.True(t, over(pause))
	require.False(t, over(wait), "a task is queued")
	require.True(t, q.some.Load())
	require.True(t, q.leave(left))
	require.False(t, q.leave(left))
	require.True(t, q.some.Load())
	q.tell(true, true)
	require.True(t, over(wait))
	require.False(t, over(left))
	require.False(t, q.leave(wait), "over at the same moment")
	require.False(t, q.some.Load())
	require.True(t, q.leave(q.join(false)))
	require.False(t, q.some.Load(), "the last has left")
}

// No view comes in after close, and close has seen all those that came in.
func TestViewsClose(t *testing.T) {
	var vs views[int]
	a, b, c := new(gate[int]), new(gate[int]), new(gate[int])
	require.True(t, vs.add(a))
	require.True(t, vs.add(b))
	require.True(t, vs.add(b), "again")
	vs.remove(a)
	require.Equal(t, []*gate[int]{b}, vs.close())
	require.True(t, vs.closed.Load())
	require.False(t, vs.add(c))
	require.Equal(t, []*gate[int]{b}, vs.all())
	vs.remove(b)
	require.Empty(t, vs.all())
}

func TestHighWater(t *testing.T) {
	var h highWater
	for _, n := range []int{3, 1, 5, 5, 4} {
		h.note(n)
	}
	require.EqualValues(t, 5, h.Load())
}
