package workerpool

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// deskTest is a desk whose workers do what the test has them do.
type deskTest struct {
	desk[int]
	clock   sampler
	started chan *worker[int]
}

func newDesk(cfg Config) *deskTest {
	d := &deskTest{started: make(chan *worker[int])}
	cfg.IdleTimeout, cfg.Priorities = -1, 1
	d.init(&cfg, &d.clock, func(w *worker[int]) { d.started <- w })
	return d
}

func (d *deskTest) level() *level[int] { return &d.q.levels[0] }

// takes has w take a task, the one that it was given first.
func (d *deskTest) takes(t *testing.T, w *worker[int], want int) {
	t.Helper()
	v, _, ok := w.unwrap(true)
	if !ok {
		v, _, ok = d.take()
	}
	d.crew.got(w)
	require.True(t, ok)
	require.Equal(t, want, v)
}

// finds has w find nothing and lie down.
func (d *deskTest) finds(t *testing.T, w *worker[int]) {
	t.Helper()
	_, _, ok := d.take()
	require.False(t, ok)
	if d.direct {
		stays, _ := d.restDirect(w)
		require.False(t, stays)
		return
	}
	d.crew.leave(w, false)
	d.crew.lieDown(w, false)
}

// end ends the workers, which have all lain down.
func (d *deskTest) end(t *testing.T) {
	t.Helper()
	d.close()
	d.crew.stop()
	for d.crew.roll.workers.Len() > 0 {
		w := d.crew.roll.workers.Front()
		require.False(t, d.crew.sleep(w))
		d.crew.forget(w)
	}
	<-d.crew.gone
}

// A worker that has no task is room: it gets the oldest task, the new one the last place.
func TestDeskFindsRoomWithAWorkerThatHasNoTask(t *testing.T) {
	d := newDesk(Config{MaxWorkers: 2, QueueSize: 1})
	l := d.level()
	require.NoError(t, d.putRing(l, 1))
	a := <-d.started
	d.takes(t, a, 1)
	require.NoError(t, d.putRing(l, 2))
	b := <-d.started // for 2, but it has not looked yet
	require.ErrorIs(t, d.putRing(l, 3), ErrFull)
	require.ErrorIs(t, d.tryRoom(l, 3), ErrFull, "both workers are active")
	d.takes(t, b, 2)
	d.finds(t, a)
	require.NoError(t, d.putRing(l, 4)) // wakes a
	require.True(t, d.crew.sleep(a))
	d.takes(t, a, 4)
	d.finds(t, a)
	require.Equal(t, putOK, l.ring.put(5, 0, &d.clock, false)) // not published yet
	require.NoError(t, d.findRoom(l, 6))
	require.True(t, d.crew.sleep(a))
	d.takes(t, a, 5)
	d.takes(t, a, 6)
	require.ErrorIs(t, d.replace(t, 7, 0), nil)
	require.ErrorIs(t, d.replace(t, 8, 7), nil)
	require.Equal(t, 1, int(d.q.dropped.Load()))
	d.takes(t, b, 8)
	d.finds(t, a)
	d.finds(t, b)
	d.end(t)
	require.ErrorIs(t, d.replace(t, 9, 0), ErrClosed)
}

// While a worker is on its way, another is called only for a large backlog.
func TestDeskCallsASecondWorkerForALargeBacklog(t *testing.T) {
	d := newDesk(Config{MaxWorkers: 4, QueueSize: 64})
	l := d.level()
	d.crew.ctl.w.Store(uint64(workerOne + tokenComing)) // one is on its way
	for v := range secondWake - 1 {
		require.NoError(t, d.putRing(l, v))
		require.Equal(t, 1, d.crew.ctl.load().workers())
	}
	require.NoError(t, d.putRing(l, secondWake-1))
	require.Equal(t, 2, d.crew.ctl.load().workers())
	w := <-d.started
	d.crew.ctl.unspawn() // the first was only counted
	for v := range secondWake {
		d.takes(t, w, v)
	}
	d.finds(t, w)
	d.end(t)
}

// A worker that has lost its core between its ticket and its slot is about to free a
// place: DropOldest waits for that, and takes nothing out.
func TestDeskDropsNothingWhereAPlaceIsAboutToComeFree(t *testing.T) {
	for _, size := range []int{1, 2, 5, 8} {
		d := newDesk(Config{MaxWorkers: 1, QueueSize: size})
		l := d.level()
		require.NoError(t, d.putRing(l, -1))
		w := <-d.started
		d.takes(t, w, -1)
		for v := range size {
			require.NoError(t, d.putRing(l, v+1))
		}
		h := l.ring.head.Load()
		require.True(t, l.ring.head.CompareAndSwap(h, h+1)) // w has its ticket
		for range 2 * size {
			_, evicted, err := d.replaceOldest(l, 100)
			require.ErrorIs(t, err, ErrFull)
			require.False(t, evicted)
			require.False(t, l.ring.barred())
		}
		require.Zero(t, d.q.dropped.Load())
		l.ring.slot(h).seq.Store(2 * (h + l.ring.n)) // and now its task
		require.NoError(t, d.replace(t, 100, 0))
		for v := range size {
			require.NoError(t, d.replace(t, 200+v, append([]int{2, 3, 4, 5, 6, 7, 8}[:size-1], 100)[v]))
		}
		for v := range size {
			d.takes(t, w, 200+v)
		}
		d.finds(t, w)
		d.end(t)
	}
}

// replace is replaceOldest that takes old out, where that is not 0.
func (d *deskTest) replace(t *testing.T, v, old int) error {
	got, evicted, err := d.replaceOldest(d.level(), v)
	require.Equal(t, old, got)
	require.Equal(t, old != 0, evicted)
	return err
}

// A worker that has come to the queue and then loses its core keeps a submission that
// would be refused waiting for ten milliseconds at most.
func TestDeskWaitsForAnArrivingWorkerForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(Config{MaxWorkers: 1, QueueSize: 1})
		l := d.level()
		require.NoError(t, d.putRing(l, 1))
		w := <-d.started // it has not looked yet
		start := time.Now()
		require.ErrorIs(t, d.findRoom(l, 2), ErrFull)
		took := time.Since(start)
		require.LessOrEqual(t, took, arrivalSleeps*arrivalSleep)
		require.Greater(t, took, time.Millisecond, "it had a chance")
		d.takes(t, w, 1)
		d.finds(t, w)
		d.end(t)
	})
}

// Fewer values wait for them than there are workers on their way to the queue.
func TestDeskOwesAPlaceToWorkersOnTheirWay(t *testing.T) {
	d := newDesk(Config{MaxWorkers: 1, QueueSize: 1})
	l := d.level()
	require.NoError(t, d.putRing(l, 1))
	w := <-d.started
	d.takes(t, w, 1)
	_, _, ok := d.take()
	require.False(t, ok)
	d.crew.leave(w, false) // it is on its way to its sleep
	require.NoError(t, d.putRing(l, 2))
	require.NoError(t, d.findRoom(l, 3), "w will look")
	require.ErrorIs(t, d.findRoom(l, 4), ErrFull, "3 waits for w already")
	d.crew.lieDown(w, false)
	require.True(t, d.q.ready())
	d.notify()
	require.True(t, d.crew.sleep(w))
	d.takes(t, w, 2)
	d.takes(t, w, 3)

	d.crew.leave(w, true)
	require.NoError(t, d.putRing(l, 4)) // w will find it, but another comes before
	d.crew.found(w)
	_, _, ok = d.take()
	require.True(t, ok)
	_, _, ok = d.take()
	require.False(t, ok)
	_, some := d.crew.arriving.load()
	require.True(t, some, "w has no task")
	d.crew.leave(w, false)
	_, some = d.crew.arriving.load()
	require.False(t, some)
	require.Equal(t, 1, d.crew.between(), "now it shows here")
	d.crew.lieDown(w, false)
	d.end(t)
}

// Who waits for room gets it as soon as a worker takes; one that gives up leaves nothing
// behind; a close refuses those that wait, and force accepts until the end.
func TestDeskWaiters(t *testing.T) {
	d := newDesk(Config{MaxWorkers: 1, QueueSize: 1})
	l := d.level()
	require.NoError(t, d.putRing(l, 1))
	w := <-d.started
	d.takes(t, w, 1)
	require.NoError(t, d.putRing(l, 2))
	first, err := d.await(l, 3)
	require.NoError(t, err)
	second, err := d.await(l, 4)
	require.NoError(t, err)
	third, err := d.await(l, 5)
	require.NoError(t, err)
	require.True(t, d.unwait(l, second))
	require.False(t, d.unwait(l, second), "not twice")
	d.recycle(l, second)
	d.takes(t, w, 2)
	require.NoError(t, <-first.done)
	require.False(t, d.unwait(l, first))
	require.True(t, third.queued())
	require.True(t, d.force(l, 6))
	require.Equal(t, []*waiter[int]{third}, d.close())
	for _, put := range []func(*level[int], int) error{d.putRing, d.submitGrowing, d.submitDirect} {
		require.ErrorIs(t, put(l, 7), ErrClosed)
	}
	_, err = d.await(l, 7)
	require.ErrorIs(t, err, ErrClosed)
	require.True(t, d.force(l, 8))
	for _, v := range []int{3, 6, 8} {
		d.takes(t, w, v)
	}
	d.expire()
	require.False(t, d.force(l, 9))
	d.finds(t, w)
	require.True(t, d.q.empty())
	d.end(t)
}

// Without a queue a task has a worker, or its submitter waits for one.
func TestDeskWithoutAQueue(t *testing.T) {
	d := newDesk(Config{MaxWorkers: 1, QueueSize: NoQueue})
	l := d.level()
	require.NoError(t, d.submitDirect(l, 1))
	w := <-d.started
	require.Equal(t, 1, d.crew.active())
	require.ErrorIs(t, d.submitDirect(l, 2), ErrFull)
	s, err := d.await(l, 2)
	require.NoError(t, err)
	d.takes(t, w, 1)
	require.ErrorIs(t, d.submitDirect(l, 3), ErrFull, "another waits")
	d.takes(t, w, 2)
	require.NoError(t, <-s.done)

	d.mu.Lock()
	d.pause(true)
	d.mu.Unlock()
	s, err = d.await(l, 3)
	require.NoError(t, err)
	_, _, ok := d.take()
	require.False(t, ok, "paused")
	stays, last := d.restDirect(w)
	require.True(t, !stays && last)
	d.mu.Lock()
	d.pause(false)
	d.mu.Unlock()
	d.kick()
	require.True(t, d.crew.sleep(w))
	require.NoError(t, <-s.done)
	require.Equal(t, 1, d.crew.active(), "it was reserved")
	d.takes(t, w, 3)

	_, err = d.await(l, 4)
	require.NoError(t, err)
	stays, _ = d.restDirect(w)
	require.True(t, stays, "4 came since w looked")
	d.takes(t, w, 4)

	// Of workers too many each leaves what waits to the others; the last sees that it is its own.
	d.resizeTo(2)
	require.NoError(t, d.submitDirect(l, 5))
	extra := <-d.started
	d.takes(t, extra, 5)
	s, err = d.await(l, 6)
	require.NoError(t, err)
	d.resizeTo(1)
	_, _, ok = d.take()
	require.False(t, ok, "one too many")
	stays, _ = d.restDirect(w)
	require.False(t, stays)
	require.True(t, d.crew.retire(), "the extra one, meanwhile")
	d.crew.forget(extra)
	d.restedDirect()
	require.True(t, d.crew.sleep(w))
	require.NoError(t, <-s.done)
	d.takes(t, w, 6)
	d.finds(t, w)
	d.end(t)
}

func (d *deskTest) resizeTo(n int) {
	d.mu.Lock()
	d.crew.resize(0, n)
	d.mu.Unlock()
}

// What a task of the pool waits for goes past the queue, to a worker or to the next that
// takes.
func TestDeskNested(t *testing.T) {
	d := newDesk(Config{MaxWorkers: 1, QueueSize: 4, MaxNested: 1})
	l := d.level()
	require.NoError(t, d.putRing(l, 1))
	w := <-d.started
	require.NoError(t, d.putRing(l, 2))
	d.takes(t, w, 1)
	require.NoError(t, d.runNested(3))
	d.mu.Lock()
	d.pause(true)
	d.mu.Unlock()
	_, _, ok := d.takeNested() // by a worker that looked before the pause
	require.False(t, ok)
	d.mu.Lock()
	d.pause(false)
	d.mu.Unlock()
	d.takes(t, w, 3)
	require.NoError(t, d.crew.compensate())
	require.NoError(t, d.runNested(4))
	extra := <-d.started
	d.takes(t, extra, 4)
	d.crew.uncompensate()
	require.True(t, d.crew.surplus.Load() && d.crew.retire())
	d.crew.forget(extra)
	d.mu.Lock()
	d.pause(true)
	d.mu.Unlock()
	require.ErrorIs(t, d.runNested(5), ErrFull)
	d.mu.Lock()
	d.pause(false)
	d.mu.Unlock()
	d.takes(t, w, 2)
	d.finds(t, w)
	d.end(t)
	require.ErrorIs(t, d.runNested(6), ErrClosed)
}
