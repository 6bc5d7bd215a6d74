package workerpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func newQueues(levels, size int) *queues[int] {
	q := new(queues[int])
	q.init(levels, size, false, new(sampler))
	return q
}

func mustPut(t *testing.T, q *queues[int], level, v int) {
	t.Helper()
	require.Equal(t, putOK, q.levels[level].ring.put(v, 0, q.clock, false))
}

// takeAll returns what n takes get, -1 for nothing.
func takeAll(q *queues[int], n int) (out []int) {
	for range n {
		v, _, ok := q.take()
		if !ok {
			v = -1
		}
		out = append(out, v)
	}
	return out
}

// The highest level first; but every 64th take begins at a lower one, each in turn.
func TestQueuesTakeByLevel(t *testing.T) {
	q := newQueues(3, 256)
	for i := range 200 {
		mustPut(t, q, 2, 2000+i)
	}
	mustPut(t, q, 0, 0)
	mustPut(t, q, 1, 1000)
	mustPut(t, q, 1, 1001)
	got := takeAll(q, 2*lowTurn)
	require.Equal(t, 1000, got[lowTurn-1])
	require.Equal(t, 0, got[2*lowTurn-1])
	require.Equal(t, 2000, got[0])
	require.EqualValues(t, 75, q.backlog())
	require.True(t, q.ready())
	require.False(t, q.empty())
	got = takeAll(q, 76)
	require.Equal(t, 1001, got[lowTurn-1])
	require.Equal(t, -1, got[75])
	require.True(t, q.empty())
	require.False(t, q.ready())
	taken, accepted := q.counts()
	require.EqualValues(t, 203, taken)
	require.EqualValues(t, 203, accepted)
}

// Values outside of the rings follow in order as there is room, are counted, and show
// in flags; submitters among them are returned to be told, and are not counted before.
func TestQueuesFillFromOutside(t *testing.T) {
	q := newQueues(1, 2)
	l := &q.levels[0]
	mustPut(t, q, 0, 1)
	mustPut(t, q, 0, 2)
	l.spill.push(item[int]{val: 3})
	q.setOutside(1)
	sub := q.await(l, 4)
	q.awaitAccepted(l, item[int]{val: 5})
	require.NotZero(t, q.flags.Load()&someOutside)
	_, accepted := q.counts()
	require.EqualValues(t, 4, accepted, "4 is not accepted yet")

	var told [16]*waiter[int]
	n, moved := q.fill(l, told[:])
	require.Zero(t, n)
	require.False(t, moved, "no room")
	require.Equal(t, []int{1, 2}, takeAll(q, 2))
	n, moved = q.fill(l, told[:])
	require.True(t, moved)
	require.Equal(t, 1, n)
	require.Same(t, sub, told[0])
	require.False(t, sub.queued())
	require.Equal(t, 1, q.outside)
	require.Equal(t, []int{3, 4, -1}, takeAll(q, 3))
	require.False(t, q.empty())
	n, moved = q.fill(l, told[:])
	require.True(t, moved)
	require.Zero(t, n, "nobody waits for 5")
	require.Zero(t, q.flags.Load()&someOutside)
	require.Equal(t, []int{5}, takeAll(q, 1))

	q.await(l, 6)
	q.awaitAccepted(l, item[int]{val: 7})
	l.spill.push(item[int]{val: 8})
	q.setOutside(1)
	for range l.waiters.takeSubmitters() { // as a close does
		q.setOutside(-1)
	}
	for _, want := range []int{7, 8} {
		v, ok, _ := q.evictAny(l)
		require.True(t, ok)
		require.Equal(t, want, v)
	}
	_, ok, empty := q.evictAny(l)
	require.False(t, ok)
	require.True(t, empty)
	require.Zero(t, q.flags.Load())
	taken, accepted := q.counts()
	require.EqualValues(t, 7, taken)
	require.Equal(t, taken, accepted)
}

// A barred ring lets in as many waiters as it has places; then it is anybody's again, for as
// many takes.
func TestQueuesAreBarredForAsManyAsTheyHold(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		q := newQueues(1, size)
		l := &q.levels[0]
		for range size {
			mustPut(t, q, 0, 1)
		}
		for range size + 2 {
			q.await(l, 2)
		}
		var told [16]*waiter[int]
		for range size { // others are faster
			require.False(t, l.ring.barred())
			takeAll(q, 1)
			mustPut(t, q, 0, 1)
		}
		for range size {
			n, _ := q.fill(l, told[:])
			require.Zero(t, n, "no room")
			require.True(t, l.ring.barred())
			takeAll(q, 1)
			require.Equal(t, putFull, l.ring.put(3, 0, q.clock, false))
			n, _ = q.fill(l, told[:])
			require.Equal(t, 1, n)
		}
		require.False(t, l.ring.barred())
		require.Equal(t, 2, l.waiters.len())
		require.EqualValues(t, 3*size, l.due.Load(), "as many takes from now on")
	}
}

// What a Do from inside waits for counts as accepted, and shows unless the pool is
// paused.
func TestQueuesNested(t *testing.T) {
	q := newQueues(2, 1)
	q.nested.push(item[int]{val: 1})
	q.nested.push(item[int]{val: 2})
	q.flagNested()
	require.NotZero(t, q.flags.Load()&someNested)
	require.True(t, q.ready())
	require.False(t, q.empty())
	q.hold(true)
	require.False(t, q.ready())
	require.False(t, q.empty())
	mustPut(t, q, 0, 3)
	require.Equal(t, []int{-1}, takeAll(q, 1))
	q.hold(false)
	require.True(t, q.ready())
	require.Equal(t, 1, q.popNested().val)
	taken, accepted := q.counts()
	require.EqualValues(t, 1, taken)
	require.EqualValues(t, 3, accepted)
	v, ok := q.evictOutside(&q.levels[1])
	require.True(t, ok)
	require.Equal(t, 2, v)
	require.Zero(t, q.flags.Load())
	require.Equal(t, []int{3}, takeAll(q, 1))
	require.True(t, q.empty())
	taken, accepted = q.counts()
	require.Equal(t, taken, accepted)
}
