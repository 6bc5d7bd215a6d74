package workerpool

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// crewModel drives a crew step by step from one goroutine, as its workers would, and
// says what each step must come to. Its lists stand for the workers in each state.
type crewModel struct {
	crew    crew[int]
	mu      sync.Mutex
	started chan *worker[int]

	min, keep, max, comp int
	active, asleep       []*worker[int] // asleep: longest first
	paused, stopped      bool
}

func newCrewModel(minWorkers, maxWorkers, maxNested int) *crewModel {
	m := &crewModel{started: make(chan *worker[int]), min: minWorkers, keep: minWorkers, max: maxWorkers}
	cfg := Config{MinWorkers: minWorkers, MaxWorkers: maxWorkers, MaxNested: maxNested, IdleTimeout: -1}
	m.crew.init(&cfg, &m.mu, func(w *worker[int]) { m.started <- w })
	return m
}

func (m *crewModel) limit() int   { return m.max + m.comp }
func (m *crewModel) workers() int { return len(m.active) + len(m.asleep) }

// join takes in n workers that start now.
func (m *crewModel) join(n int) {
	for range n {
		m.active = append(m.active, <-m.started)
	}
}

// grown takes in those that make them n.
func (m *crewModel) grown(n int) {
	if !m.stopped {
		m.join(max(min(n, m.limit())-m.workers(), 0))
	}
}

// wake takes in the one that has slept the shortest.
func (m *crewModel) wake(t *testing.T) {
	i := len(m.asleep) - 1
	w := m.asleep[i]
	m.asleep = m.asleep[:i]
	require.True(t, m.crew.sleep(w))
	m.active = append(m.active, w)
}

// end sees the n that have slept the longest end.
func (m *crewModel) end(t *testing.T, n int) {
	n = max(min(n, len(m.asleep)), 0)
	for _, w := range m.asleep[:n] {
		require.False(t, m.crew.sleep(w))
		m.crew.forget(w)
	}
	m.asleep = slices.Delete(m.asleep, 0, n)
}

func (m *crewModel) step(t *testing.T, rng *rand.Rand) {
	c := &m.crew
	someActive := func() (w *worker[int], ok bool) {
		if len(m.active) == 0 {
			return nil, false
		}
		i := rng.IntN(len(m.active))
		w = m.active[i]
		m.active = slices.Delete(m.active, i, i+1)
		return w, true
	}
	switch rng.IntN(10) {
	case 0, 1: // a task comes
		s, next := c.wanted()
		if m.stopped || next == tokenNone {
			return
		}
		switch c.call(s, next) {
		case callDone:
			require.False(t, m.paused)
			if len(m.asleep) > 0 {
				m.wake(t)
			} else {
				m.join(1)
			}
		case callNone:
			require.True(t, m.paused || len(m.asleep) == 0 && m.workers() >= m.limit())
		default:
			t.Fatal("nothing else runs")
		}
	case 2: // a task comes for a worker of its own
		m.mu.Lock()
		switch how := c.reserve(); how {
		case noWorker:
			m.mu.Unlock()
			require.True(t, m.paused || len(m.asleep) == 0 && m.workers() >= m.limit())
		default:
			require.Equal(t, len(m.asleep) > 0, how == idleWorker, "an idle worker before a new one")
			c.send(how, item[int]{val: 7}, true)
			if how == idleWorker {
				m.wake(t)
			} else {
				m.join(1)
			}
			v, _, ok := m.active[len(m.active)-1].unwrap(true)
			require.True(t, ok && v == 7, "the gift")
		}
	case 3, 4: // a worker finds nothing to do
		w, ok := someActive()
		if !ok {
			return
		}
		searching, last := c.leave(w, rng.IntN(2) == 0)
		require.Equal(t, len(m.active) == 0, last)
		if searching && rng.IntN(2) == 0 {
			c.found(w)
			m.active = append(m.active, w)
			return
		}
		c.lieDown(w, searching)
		m.asleep = append(m.asleep, w)
		c.endSurplus()
		if m.stopped {
			m.end(t, len(m.asleep))
		} else {
			m.end(t, m.workers()-m.limit())
		}
	case 5: // a worker has ended its task
		w, ok := someActive()
		if !ok {
			return
		}
		c.got(w)
		surplus := m.workers()+1 > m.limit()
		require.Equal(t, surplus, c.surplus.Load())
		if surplus {
			require.True(t, c.retire())
			c.forget(w)
		} else {
			require.False(t, c.retire())
			m.active = append(m.active, w)
		}
	case 6:
		if m.stopped {
			return
		}
		m.max = 1 + rng.IntN(6)
		m.min = rng.IntN(m.max + 1)
		m.keep = m.min
		m.mu.Lock()
		c.resize(m.min, m.max)
		m.mu.Unlock()
		c.settle(m.min)
		m.end(t, m.workers()-m.limit())
		m.grown(m.min)
	case 7:
		if m.stopped {
			return
		}
		n := rng.IntN(8)
		c.scaleTo(n)
		m.keep = min(max(n, m.min), m.max)
		m.grown(m.keep)
	case 8:
		if rng.IntN(2) == 0 {
			err := c.compensate()
			if m.comp == c.maxNested {
				require.ErrorIs(t, err, ErrNested)
				return
			}
			require.NoError(t, err)
			m.comp++
		} else if m.comp > 0 {
			c.uncompensate()
			m.comp--
			m.end(t, m.workers()-m.limit())
		}
	case 9:
		if m.stopped {
			return
		}
		m.paused = !m.paused
		m.mu.Lock()
		c.pause(m.paused)
		m.mu.Unlock()
	}
}

func (m *crewModel) check(t *testing.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var st Stats
	m.crew.stats(&st)
	require.Equal(t, len(m.active), st.Active)
	require.Equal(t, m.workers(), st.Workers)
	require.Equal(t, len(m.asleep), m.crew.ctl.load().idle())
	require.Equal(t, m.asleep, slices.Clone(m.crew.idlers.stack))
	require.Equal(t, m.workers() > m.limit(), m.crew.surplus.Load())
	require.Equal(t, []int{m.min, m.keep, m.max, m.comp}, []int{st.MinWorkers, m.crew.keep, st.MaxWorkers, st.Nested})
	require.GreaterOrEqual(t, st.HighWater, st.Workers)
	require.Equal(t, m.workers() == 0, m.crew.roll.empty())
	over := false
	select {
	case <-m.crew.gone:
		over = true
	default:
	}
	require.Equal(t, m.stopped && m.workers() == 0, over, "gone")
}

func TestCrewAgainstAModel(t *testing.T) {
	for range 60 {
		seed := rand.Uint64()
		t.Log("seed", seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		m := newCrewModel(rng.IntN(3), 2+rng.IntN(3), rng.IntN(3))
		m.crew.grow(m.min)
		m.grown(m.min)
		for range 200 {
			m.step(t, rng)
			m.check(t)
		}
		m.mu.Lock()
		m.crew.close()
		m.mu.Unlock()
		m.crew.scaleTo(1 << 10) // too late
		m.crew.stop()
		m.stopped, m.paused = true, true
		m.end(t, len(m.asleep))
		m.check(t)
		for m.workers() > 0 {
			m.step(t, rng)
			m.check(t)
		}
		_, some := m.crew.arriving.load()
		require.False(t, some)
	}
}

// At the end of an IdleTimeout those workers end that were idle throughout, but for as
// many as are kept; the next period begins only where there is one to spare.
func TestCrewEndsThoseThatWereIdleThroughout(t *testing.T) {
	m := newCrewModel(1, 5, 0)
	c := &m.crew
	c.idleTimeout = 1 << 60 // shrink is called by hand
	c.grow(5)
	m.join(5)
	lie := func() {
		w := m.active[0]
		m.active = m.active[1:]
		c.leave(w, false)
		c.lieDown(w, false)
		m.asleep = append(m.asleep, w)
	}
	call := func() {
		require.Equal(t, callDone, c.call(c.wanted()))
		m.wake(t)
	}
	for range 3 {
		lie()
	}
	require.True(t, c.armed)
	c.shrink()
	m.end(t, 1) // two came in the period, which began with one
	m.check(t)
	require.True(t, c.armed, "the next period")
	call()
	lie()
	lie()
	c.shrink()
	m.end(t, 1)
	m.check(t)
	c.shrink()
	m.end(t, 1)
	require.Equal(t, 2, m.workers())
	require.Equal(t, 1, len(m.asleep))
	lie()
	c.shrink()
	m.end(t, 1)
	m.check(t)
	require.Equal(t, 1, m.workers(), "MinWorkers are kept")
	require.False(t, c.armed, "nobody to spare")
	m.mu.Lock()
	c.close()
	m.mu.Unlock()
	c.shrink() // its timer had fired already
	m.check(t)
	c.stop()
	m.stopped = true
	m.end(t, 1)
	m.check(t)
}

// A worker is wanted unless one is looking at the queue, or two are on their way; a
// second one only where it may be had, and only for a large backlog.
func TestCrewWanted(t *testing.T) {
	for _, tc := range []struct {
		token, next   ctlState
		idle, workers int
	}{
		{tokenNone, tokenComing, 0, 0},
		{tokenNone, tokenComing, 1, 2},
		{tokenNone, tokenComing, 0, 2}, // call finds that there is none
		{tokenComing, tokenTwo, 1, 2},
		{tokenComing, tokenTwo, 0, 1},
		{tokenComing, tokenNone, 0, 2},
		{tokenSearch, tokenNone, 2, 2},
		{tokenTwo, tokenNone, 1, 1},
	} {
		var c crew[int]
		c.limit.Store(2)
		s := ctlState(tc.idle)*idleOne + ctlState(tc.workers)*workerOne + tc.token
		c.ctl.w.Store(uint64(s))
		got, next := c.wanted()
		require.Equal(t, s, got)
		require.Equal(t, tc.next, next, "%+v", tc)
	}
}

// A worker that was counted before the limit went down does not start, and its token is
// free again. One that was counted before a stop starts, and the stop waits for it.
func TestCrewAndALateWorker(t *testing.T) {
	m := newCrewModel(0, 2, 1)
	c := &m.crew
	require.NoError(t, c.compensate())
	c.grow(2)
	m.join(2)
	count := func() ctlState { // as call does
		s, next := c.wanted()
		require.Equal(t, ctlState(tokenComing), next)
		require.True(t, c.ctl.cas(s, (s+workerOne).withToken(next)))
		return s
	}
	count()
	c.uncompensate()
	require.True(t, c.surplus.Load())
	require.False(t, c.hire())
	require.False(t, c.surplus.Load())
	require.Equal(t, tokenNone, c.ctl.load().token())
	m.check(t)

	lie := func() {
		w := m.active[0]
		m.active = m.active[1:]
		c.leave(w, false)
		c.lieDown(w, false)
		m.asleep = append(m.asleep, w)
		c.endSurplus()
	}
	c.resize(0, 3)
	before := count()
	c.stop()
	lie()
	lie()
	m.end(t, 2)
	select {
	case <-c.gone:
		t.Fatal("one that was counted may still start")
	default:
	}
	require.True(t, c.hire())
	m.join(1)
	lie()
	m.end(t, 1)
	<-c.gone
	require.Equal(t, callRetry, c.call(before, tokenComing), "not the state any more")
	require.Equal(t, callNone, c.call(c.wanted()), "stopped")
	require.Nil(t, c.addOne(3))
}
