package workerpool_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/workerpool"
)

// poolModel drives a pool by one operation after the other, waits in a synctest
// bubble until the pool has done all it can, and compares it with a plain model:
// a list of waiting tasks, a set of running ones, a list of blocked submitters.
type poolModel struct {
	t      *rapid.T
	p      *workerpool.Pool
	size   int // room in the queue
	policy workerpool.Policy
	limit  int
	paused bool
	closed bool

	nextID  int
	queue   []int
	blocked []int
	running map[int]chan struct{} // closed to end the task
	ended   int
	dropped int
	refused int

	gates []chan struct{}

	mu       sync.Mutex
	started  []int         // guarded by mu; as the pool started them
	outcomes map[int]error // guarded by mu; of the submissions that returned
	closes   []chan error
}

func (m *poolModel) settle() {
	for !m.paused && len(m.running) < m.limit && len(m.queue)+len(m.blocked) > 0 {
		if len(m.queue) == 0 { // without a queue
			m.queue, m.blocked = m.blocked[:1:1], m.blocked[1:]
		}
		m.running[m.queue[0]] = m.gates[m.queue[0]]
		m.queue = m.queue[1:]
		for len(m.blocked) > 0 && len(m.queue) < m.size {
			m.queue = append(m.queue, m.blocked[0])
			m.blocked = m.blocked[1:]
		}
	}
}

// submit submits a task, by TrySubmit if how is 1.
func (m *poolModel) submit(how int) {
	id := m.nextID
	m.nextID++
	gate := make(chan struct{})
	m.gates = append(m.gates, gate)
	task := func() {
		m.mu.Lock()
		m.started = append(m.started, id)
		m.mu.Unlock()
		<-gate
	}
	var err error
	returned := make(chan struct{})
	policy := m.policy
	if how == 1 {
		policy = workerpool.Reject
	}
	go func() {
		defer close(returned)
		if how == 1 {
			err = m.p.TrySubmit(task)
		} else {
			err = m.p.Submit(task)
		}
		m.mu.Lock()
		m.outcomes[id] = err
		m.mu.Unlock()
	}()
	synctest.Wait()
	has := func() bool {
		select {
		case <-returned:
			return true
		default:
			return false
		}
	}
	switch {
	case m.closed:
		require.True(m.t, has())
		require.ErrorIs(m.t, err, workerpool.ErrClosed)
	case len(m.queue) < m.size || (!m.paused && len(m.running) < m.limit):
		require.True(m.t, has(), "there is room")
		require.NoError(m.t, err)
		m.queue = append(m.queue, id)
	case policy == workerpool.Reject:
		require.True(m.t, has())
		require.ErrorIs(m.t, err, workerpool.ErrFull)
		m.refused++
	case policy == workerpool.DiscardOldest:
		require.True(m.t, has())
		require.NoError(m.t, err)
		m.queue = append(m.queue[1:], id)
		m.dropped++
	default:
		require.False(m.t, has(), "there is no room")
		m.blocked = append(m.blocked, id)
	}
}

func (m *poolModel) finish(n int) {
	ids := make([]int, 0, len(m.running))
	for id := range m.running {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		return
	}
	id := ids[n%len(ids)]
	close(m.running[id])
	delete(m.running, id)
	m.ended++
}

func (m *poolModel) refuseBlocked() {
	m.closed, m.paused = true, false
	for _, id := range m.blocked {
		require.ErrorIs(m.t, m.outcomes[id], workerpool.ErrClosed)
	}
	m.blocked = nil
}

func (m *poolModel) close() {
	done := make(chan error, 1)
	go func() { done <- m.p.Close() }()
	synctest.Wait()
	m.refuseBlocked()
	m.closes = append(m.closes, done)
}

func (m *poolModel) shutdown() {
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- m.p.Shutdown(ctx) }()
	synctest.Wait()
	m.refuseBlocked()
	m.settle() // it resumed the pool
	cancel()
	synctest.Wait()
	err := <-done
	if len(m.running)+len(m.queue) == 0 {
		require.NoError(m.t, err)
		return
	}
	var se *workerpool.ShutdownError
	require.True(m.t, errors.As(err, &se), "%v", err)
	require.Equal(m.t, len(m.queue), se.Discarded)
	require.Equal(m.t, len(m.running), se.Running)
	m.dropped += len(m.queue)
	m.queue = nil
}

// check compares pool and model at rest.
func (m *poolModel) check() {
	synctest.Wait()
	m.settle()
	st := m.p.Stats()
	checkSnapshot(m.t, st)
	require.Equal(m.t, len(m.running), st.Active, "%+v", st)
	require.Equal(m.t, len(m.queue), st.Queued, "%+v", st)
	require.EqualValues(m.t, m.ended, st.Completed, "%+v", st)
	require.EqualValues(m.t, m.dropped, st.Discarded, "%+v", st)
	require.EqualValues(m.t, m.refused, st.Rejected, "%+v", st)
	require.EqualValues(m.t, m.ended+m.dropped+len(m.running)+len(m.queue), st.Submitted, "%+v", st)
	started := slices.Clone(m.started)
	require.Len(m.t, started, m.ended+len(m.running))
	if m.limit == 1 {
		require.True(m.t, slices.IsSorted(started), "FIFO: %v", started)
	}
	for id := range m.running {
		require.Contains(m.t, started, id)
	}
}

func TestPoolAgainstAModel(t *testing.T) {
	watch(t)
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) {
			size := rapid.SampledFrom([]int{workerpool.NoQueue, 1, 2, 7, workerpool.Unbounded}).Draw(rt, "QueueSize")
			policies := []workerpool.Policy{workerpool.Block, workerpool.Reject, workerpool.DiscardOldest}
			if size == workerpool.NoQueue {
				policies = policies[:2]
			}
			workers := rapid.SampledFrom([]int{1, 2, 4}).Draw(rt, "MaxWorkers")
			m := &poolModel{
				t: rt, size: max(size, 0), limit: workers,
				policy:  rapid.SampledFrom(policies).Draw(rt, "OnFull"),
				running: map[int]chan struct{}{}, outcomes: map[int]error{},
			}
			var err error
			m.p, err = workerpool.New(workerpool.Config{
				MaxWorkers: workers, QueueSize: size, OnFull: m.policy,
				Spin:        rapid.SampledFrom([]time.Duration{0, -1}).Draw(rt, "Spin"),
				IdleTimeout: rapid.SampledFrom([]time.Duration{0, -1}).Draw(rt, "IdleTimeout"),
			})
			require.NoError(rt, err)
			defer func() { // the bubble must end, also after a failure
				for _, gate := range m.gates {
					select {
					case <-gate:
					default:
						close(gate)
					}
				}
				_ = m.p.Close()
				synctest.Wait()
			}()
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				switch op := rapid.IntRange(0, 19).Draw(rt, "op"); {
				case op < 7:
					m.submit(op % 2)
				case op < 13:
					m.finish(rapid.IntRange(0, 9).Draw(rt, "which"))
				case op < 15:
					ctx, cancel := context.WithCancel(bg)
					cancel()
					err := m.p.Pause(ctx)
					if m.closed {
						require.ErrorIs(rt, err, workerpool.ErrClosed)
					} else {
						m.paused = true
					}
				case op < 17:
					m.p.Resume()
					m.paused = false
				case op < 18:
					// Only upwards: busy workers above a lowered limit go on.
					m.limit = max(m.limit, rapid.IntRange(1, 6).Draw(rt, "max"))
					err := m.p.Resize(0, m.limit)
					if m.closed {
						require.ErrorIs(rt, err, workerpool.ErrClosed)
						m.limit = m.p.Stats().MaxWorkers
					} else {
						require.NoError(rt, err)
					}
				case op < 19:
					if m.nextID > 10 {
						m.close()
					}
				default:
					if m.nextID > 15 {
						m.shutdown()
					}
				}
				m.check()
			}
			m.p.Resume()
			m.paused = false
			m.check()
			for len(m.running) > 0 {
				m.finish(0)
				m.check()
			}
			require.NoError(rt, m.p.Close())
			st := m.p.Stats()
			checkBooks(rt, st)
			require.Zero(rt, st.Workers)
			for _, done := range m.closes {
				require.NoError(rt, <-done)
			}
		})
	})
}
