package connpool

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// idleEntry returns a connection in the roster that waits for a borrower.
func idleEntry(r *roster[int], id uint64) *entry[int] {
	e := &entry[int]{id: id, value: int(id)}
	r.add(e)
	return e
}

// take returns the connections that grab lends, in order.
func take(r *roster[int]) (ids []uint64) {
	for c, ok := r.grab(); ok; c, ok = r.grab() {
		ids = append(ids, c.e.id)
	}
	return ids
}

func TestRosterLendsInOrder(t *testing.T) {
	for order, want := range map[Order][]uint64{Affinity: {1, 2, 3}, LIFO: {2, 3, 1}, FIFO: {1, 3, 2}} {
		var r roster[int]
		r.init(1, order, new(atomic.Uint64))
		for id, stamp := range []uint64{10, 30, 20} {
			idleEntry(&r, uint64(id+1)).stamp.Store(stamp)
		}
		require.Equal(t, want, take(&r), order)
		require.Equal(t, 3, r.count(stateLent))
		require.Zero(t, r.count(stateIdle))
		_, ok := r.grabSurely()
		require.False(t, ok)
	}
}

func TestRosterMarks(t *testing.T) {
	var r roster[int]
	r.init(1, Affinity, new(atomic.Uint64))
	a, b := idleEntry(&r, 1), idleEntry(&r, 2)
	c, ok := a.borrow()
	require.True(t, ok)
	r.suspect()
	require.Equal(t, 1, r.marked, "the idle one")
	require.True(t, a.suspect, "the lent one, at its return")
	require.Empty(t, take(&r), "what needs a check is not lent")
	require.False(t, a.word.CompareAndSwap(c.word, c.word&^stateMask), "its Release takes the slow path")
	require.Same(t, b, r.takeMarked())
	require.Zero(t, r.marked)
	require.Equal(t, uint64(stateHeld), b.word.Load()&lowBits)
	require.Panics(t, func() { r.takeMarked() }, "there is none")

	r.giveMarked(b, 5<<useShift)
	r.mark(b)
	require.Equal(t, 1, r.marked, "once")
	all := r.grabAll()
	require.Len(t, all, 1)
	require.Same(t, b, all[0].e)
	require.Equal(t, uint64(6), all[0].word>>useShift, "one use more")
	require.Zero(t, r.marked)

	require.True(t, a.takeBack(c.word))
	r.giveMarked(a, 1<<useShift)
	r.remove(a, 0)
	require.Zero(t, r.marked, "who leaves is not counted")
	require.Equal(t, uint64(1<<useShift|stateGone), a.word.Load(), "its uses stay in the word")
	require.Equal(t, census{lent: 1, uses: 7}, r.census(), "6 of b and 1 that has left")
	require.Equal(t, []*entry[int]{b}, r.all())
}

// What has left must not be kept alive by a processor that had it last.
func TestRosterForgetsWhoLeft(t *testing.T) {
	var r roster[int]
	r.init(2, Affinity, new(atomic.Uint64))
	e := idleEntry(&r, 1)
	require.Len(t, take(&r), 1)
	r.hints[0].e.Store(e)
	r.hints[1].e.Store(e)
	r.remove(e, 0)
	for i := range r.hints {
		require.Nil(t, r.hints[i].e.Load(), i)
	}
	require.Empty(t, r.all())
}
