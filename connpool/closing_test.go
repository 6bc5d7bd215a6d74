package connpool

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newClosing returns a part without a pool, and the roster beside it.
func newClosing() (*closing[int], *roster[int]) {
	r := new(roster[int])
	r.init(1, Affinity, new(atomic.Uint64))
	return &closing[int]{roster: r, jobs: new(jobs[int])}, r
}

func TestClosingKeepsTheFirstErrors(t *testing.T) {
	c, r := newClosing()
	a, b := idleEntry(r, 1), idleEntry(r, 2)
	require.True(t, c.retireIdle(a, ByEvict))
	require.True(t, c.retireIdle(b, ByEvict))
	require.False(t, c.retireIdle(b, ByEvict), "it has left")
	require.Empty(t, r.all())
	c.end(a)
	require.Equal(t, []*entry[int]{b}, c.list)
	c.end(b)
	require.Zero(t, c.n())
	c.report(nil)
	require.NoError(t, c.err())
	for range 2 * mostCloseErrors {
		c.report(errDown)
	}
	require.ErrorIs(t, c.err(), errDown)
	require.Len(t, c.errs, mostCloseErrors)
}

// What becomes of a connection that must go: by its state.
func TestClosingCondemns(t *testing.T) {
	c, r := newClosing()
	idle, marked, lent, held, gone := idleEntry(r, 1), idleEntry(r, 2), idleEntry(r, 3), idleEntry(r, 4), idleEntry(r, 5)
	r.mark(marked)
	lent.word.Store(useOne | stateLent)
	held.word.Store(stateHeld)
	require.True(t, c.retireIdle(gone, ByIdleTime))
	c.condemnAll(ByReset)
	require.False(t, c.condemn(gone, ByEvict))
	require.Equal(t, []*entry[int]{lent, held}, r.all())
	require.Zero(t, r.marked)
	require.Equal(t, []*entry[int]{gone, idle, marked}, c.list)
	for e, why := range map[*entry[int]]Reason{gone: ByIdleTime, idle: ByReset, marked: ByReset, lent: ByReset, held: ByReset} {
		require.Equal(t, why, e.reason)
		require.False(t, c.condemn(e, ByEvict), "the first reason stays")
	}
	require.EqualValues(t, useOne|stateLent|mark, lent.word.Load(), "its return looks")

	c.retire(held, ByDestroy, errDown)
	require.EqualValues(t, stateGone|ended, held.word.Load(), "a deferred Release may follow")
	var jobs []job[int]
	c.jobs.start(func(j job[int]) { jobs = append(jobs, j) })
	require.Len(t, jobs, 4)
	require.Equal(t, job[int]{kind: jobClose, e: held, cause: errDown}, jobs[3])
	require.Equal(t, 4, c.jobs.running)
	c.jobs.start(func(job[int]) { t.Error("started twice") })

	var s Stats
	c.fill(&s)
	require.EqualValues(t, 4, s.Closed)
	require.Equal(t, ReasonCounts{IdleTime: 1, Reset: 2, Destroy: 1}, s.ClosedBy)
}

// The coldest of those that have been idle for so long.
func TestClosingEvictsOneThatIsOldEnough(t *testing.T) {
	c, r := newClosing()
	for id := range uint64(3) {
		e := idleEntry(r, id+1)
		e.word.Store(useOne)
		e.lookLocked(time.Duration(id+1) * time.Second)
	}
	require.False(t, c.evictIdle(3*time.Second, ByKeyLimit, 2500*time.Millisecond))
	require.True(t, c.evictIdle(3*time.Second, ByKeyLimit, time.Second))
	require.EqualValues(t, 2, c.list[0].id)
	require.True(t, c.evictIdle(3*time.Second, ByKeyLimit, 0))
	require.EqualValues(t, 3, c.list[1].id, "from the end")
}
