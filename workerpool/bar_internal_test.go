package workerpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A barred ring has room for a forced put only. The bar and the closed bit are apart.
func TestRingBar(t *testing.T) {
	var clock sampler
	for _, n := range ringSizes {
		var r ring[int]
		r.init(n)
		r.bar()
		require.True(t, r.barred())
		require.Equal(t, putFull, r.put(1, 0, &clock, false), "empty, and yet no room")
		require.Equal(t, putOK, r.put(2, 0, &clock, true))
		v, _, ok := r.take()
		require.True(t, ok, "takers do not mind")
		require.Equal(t, 2, v)
		r.close()
		require.Equal(t, putClosed, r.put(3, 0, &clock, false))
		r.unbar()
		require.Equal(t, putClosed, r.put(3, 0, &clock, false))

		var again ring[int]
		again.init(n)
		again.bar()
		again.unbar()
		require.False(t, again.barred())
		require.Equal(t, putOK, again.put(4, 0, &clock, false))
	}
}

// The two places that bar a ring: fill, once a waiter has waited for as many takes as
// the queue has places, and awaitFirst, at once. Then a place that comes free is not
// for others, though nobody has put the waiter there yet. The pool is paused and the
// test takes, so that all of it happens in one order.
func TestAPlaceIsKeptForWhoHasWaited(t *testing.T) {
	for _, size := range []int{1, 3, 4} {
		for _, first := range []bool{false, true} {
			p, err := New(Config{MaxWorkers: 1, QueueSize: size})
			require.NoError(t, err)
			require.NoError(t, p.Pause(t.Context()))
			c, l := p.c, &p.c.desk.q.levels[0]
			task, told := plain(func() {}), make([]*waiter[job], 1)
			others := func() putResult { return l.ring.put(task, 0, &c.clock, false) }
			fill := func() bool {
				c.desk.mu.Lock()
				defer c.desk.mu.Unlock()
				_, moved := c.desk.q.fill(l, told)
				return moved
			}
			for others() == putOK {
			}
			c.desk.mu.Lock()
			if first {
				c.desk.q.awaitFirst(l, item[job]{val: task})
			} else {
				c.desk.q.awaitAccepted(l, item[job]{val: task})
			}
			c.desk.mu.Unlock()
			if !first {
				for range size { // takes, after each of which another is faster than the waiter
					_, ok := l.ring.evict()
					require.True(t, ok)
					require.Equal(t, putOK, others())
				}
				require.False(t, fill(), "no room")
			}
			_, ok := l.ring.evict()
			require.True(t, ok)
			require.Equal(t, putFull, others(), "the place is the waiter's")
			require.True(t, fill())
			require.Zero(t, l.waiters.len())
			_, ok = l.ring.evict()
			require.True(t, ok)
			require.Equal(t, putOK, others(), "nobody waits any more")
			p.Resume()
			require.NoError(t, p.Close())
		}
	}
}
