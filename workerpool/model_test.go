package workerpool_test

import (
	"context"
	"math"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/workerpool"
)

// model is a pool as a plain sequential program: lists of waiting tasks, a set of
// running ones, lists of blocked submitters, and what each submission must return.
// It says what the pool must come to at rest after each operation.
type model struct {
	size   int // room per queue; 0 without one
	policy workerpool.Overflow
	limit  int
	levels []*modelLevel
	views  []*modelView

	paused, closed, expired bool

	active  int
	running []*modelTask // on workers and in callers

	submitted, completed, failed, panics, goexits uint64
	canceled, dropped, rejected, callerRan        uint64
}

type modelLevel struct {
	queue   []*modelTask // size at most
	waiting []*modelTask // submitted without room, and accepted ones of views
}

type modelView struct {
	v       *workerpool.View
	limit   int
	running int
	pending []*modelTask
	blocked []*modelTask
	ended   uint64
	dropped uint64
}

func (m *model) level(t *modelTask) *modelLevel { return m.levels[t.priority] }

// submit does what a submission of t does that behaves as policy says.
func (m *model) submit(t *modelTask, policy workerpool.Overflow) {
	v := t.view
	switch {
	case m.closed:
		t.settled(workerpool.ErrClosed)
	case v == nil:
		m.toPool(t, policy)
	case v.running < v.limit:
		v.running++
		t.placed = true
		m.toPool(t, policy)
	case len(v.pending) < m.size || m.weedView(v):
		v.pending = append(v.pending, t)
		t.accepted()
	case policy == workerpool.DropNewest:
		v.dropped++
		t.accepted()
	case policy == workerpool.DropOldest && len(v.pending) > 0:
		v.pending[0].settled(workerpool.ErrDropped)
		v.dropped++
		v.pending = append(v.pending[1:], t)
		t.accepted()
	case policy == workerpool.Block || policy == workerpool.CallerRuns:
		v.blocked = append(v.blocked, t)
	default:
		m.rejected++
		t.settled(workerpool.ErrFull)
	}
	m.settle()
}

// toPool submits a task that needs no place in a view, or has one.
func (m *model) toPool(t *modelTask, policy workerpool.Overflow) {
	l := m.level(t)
	switch {
	case m.size == 0 && len(l.waiting) == 0 && m.free():
		m.submitted++
		t.accepted()
		m.begin(t, false)
	case len(l.queue) < m.size || m.weed(l):
		m.submitted++
		t.accepted()
		l.queue = append(l.queue, t)
	case policy == workerpool.CallerRuns:
		m.begin(t, true)
	case policy == workerpool.DropNewest:
		m.submitted++
		t.accepted()
		m.drop(t, nil)
	case policy == workerpool.DropOldest:
		old := l.queue[0]
		l.queue = append(l.queue[1:], t)
		m.submitted++
		t.accepted()
		m.drop(old, workerpool.ErrDropped)
	case policy == workerpool.Block:
		l.waiting = append(l.waiting, t)
	default:
		m.rejected++
		t.settled(workerpool.ErrFull)
		m.leave(t)
	}
}

func (m *model) free() bool { return !m.paused && m.active < m.limit }

func (m *model) begin(t *modelTask, inCaller bool) {
	t.runs, t.inCaller = true, inCaller
	m.running = append(m.running, t)
	if !inCaller {
		m.active++
	}
}

// settle starts what can be started and lets in who can be let in.
func (m *model) settle() {
	for m.refill(); m.free(); m.refill() {
		t := m.pop()
		if t == nil {
			return
		}
		m.refill()        // before t's end passes on its place in a view
		if t.err != nil { // canceled in the queue
			m.canceled++
			m.end(t)
		} else {
			m.begin(t, false)
		}
	}
}

func (m *model) refill() {
	for _, l := range m.levels {
		for len(l.waiting) > 0 && len(l.queue) < m.size {
			m.letIn(l)
		}
	}
}

// weed takes tasks whose ctx has ended out of l's queue, and reports whether there is
// room then.
func (m *model) weed(l *modelLevel) bool {
	var dead []*modelTask
	l.queue = slices.DeleteFunc(l.queue, func(t *modelTask) bool {
		if t.err != nil {
			dead = append(dead, t)
		}
		return t.err != nil
	})
	for _, t := range dead {
		m.canceled++
		m.end(t)
	}
	m.refill()
	return len(l.queue) < m.size
}

// weedView is weed for a view's own queue.
func (m *model) weedView(v *modelView) bool {
	n := len(v.pending)
	v.pending = slices.DeleteFunc(v.pending, func(t *modelTask) bool { return t.err != nil })
	v.ended += uint64(n - len(v.pending))
	for n > len(v.pending) && len(v.blocked) > 0 {
		v.blocked[0].accepted()
		v.pending, v.blocked = append(v.pending, v.blocked[0]), v.blocked[1:]
	}
	return len(v.pending) < m.size
}

func (m *model) letIn(l *modelLevel) {
	t := l.waiting[0]
	l.queue, l.waiting = append(l.queue, t), l.waiting[1:]
	if !t.forced {
		m.submitted++
		t.accepted()
	}
}

// pop takes the next task, from the highest level that has one.
func (m *model) pop() (t *modelTask) {
	for _, l := range slices.Backward(m.levels) {
		if m.size == 0 { // nothing is queued: a worker takes from those who wait
			if len(l.waiting) > 0 {
				m.letIn(l)
			}
		}
		if len(l.queue) > 0 {
			t, l.queue = l.queue[0], l.queue[1:]
			return t
		}
	}
	return nil
}

// finish ends a running task.
func (m *model) finish(t *modelTask, how ending) {
	m.running = slices.DeleteFunc(m.running, func(r *modelTask) bool { return r == t })
	if t.inCaller {
		m.callerRan++
		m.submitted++
	} else {
		m.active--
	}
	switch {
	case how == panics:
		m.panics++
		m.failed++
	case how == goexits:
		m.goexits++
		m.failed++
	case how == fails && t.hasResult():
		m.failed++
	default:
		m.completed++
	}
	t.finished(how)
	m.end(t)
	m.settle()
}

// end is the end of a task that was taken out of its queue.
func (m *model) end(t *modelTask) {
	if t.placed {
		t.view.ended++
	}
	m.leave(t)
}

// drop drops a task that is out of its queue.
func (m *model) drop(t *modelTask, why error) {
	m.dropped++
	t.settled(why)
	m.leave(t)
}

// leave gives t's place in its view, if it has one, to the next.
func (m *model) leave(t *modelTask) {
	v := t.view
	if !t.placed {
		return
	}
	t.placed = false
	if len(v.blocked) > 0 && !m.closed {
		v.pending = append(v.pending, v.blocked[0])
		v.blocked[0].accepted()
		v.blocked = v.blocked[1:]
	}
	if len(v.pending) == 0 || m.expired {
		v.running--
		return
	}
	next := v.pending[0]
	v.pending = v.pending[1:]
	next.placed, next.forced = true, true
	m.submitted++
	l := m.level(next)
	l.waiting = append(l.waiting, next) // settle moves it on, or starts it
}

// cancel ends t's ctx.
func (m *model) cancel(t *modelTask) {
	if t.runs || t.err != nil || t.done {
		return
	}
	t.settled(context.Canceled)
	l := m.level(t)
	if i := slices.Index(l.waiting, t); i >= 0 && !t.forced {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		m.leave(t)
	} else if t.view != nil {
		if i := slices.Index(t.view.blocked, t); i >= 0 {
			t.view.blocked = slices.Delete(t.view.blocked, i, i+1)
		}
	}
	m.settle()
}

// close refuses all who wait for room, and resumes.
func (m *model) close() {
	m.closed, m.paused = true, false
	for _, v := range m.views {
		for _, t := range v.blocked {
			t.settled(workerpool.ErrClosed)
		}
		v.blocked = nil
	}
	for _, l := range m.levels {
		waiting := l.waiting
		l.waiting = slices.DeleteFunc(slices.Clone(waiting), func(t *modelTask) bool { return !t.forced })
		for _, t := range waiting {
			if !t.forced {
				t.settled(workerpool.ErrClosed)
				m.leave(t)
			}
		}
	}
	m.settle()
}

// expire drops all that is queued and returns how much that was.
func (m *model) expire() (n int) {
	m.expired = true
	for _, v := range m.views {
		for _, t := range v.pending {
			t.settled(workerpool.ErrClosed)
			v.dropped++
			n++
		}
		v.pending = nil
	}
	for _, l := range m.levels {
		all := append(l.queue, l.waiting...)
		l.queue, l.waiting = nil, nil
		for _, t := range all {
			m.drop(t, workerpool.ErrClosed)
			n++
		}
	}
	return n
}

func (m *model) queued() (n int) {
	for _, l := range m.levels {
		n += len(l.queue)
		for _, t := range l.waiting {
			if t.forced {
				n++
			}
		}
	}
	return n
}

// waitingPlaced counts the submitters that wait for room in the pool and hold a place in
// a view: closing lets their views go on at once, in an order that nobody knows.
func (m *model) waitingPlaced() (n int) {
	for _, l := range m.levels {
		for _, t := range l.waiting {
			if t.placed && !t.forced {
				n++
			}
		}
	}
	return n
}

// check compares the pool's books with the model's.
func (m *model) check(t *rapid.T, st workerpool.Stats) {
	checkSnapshot(t, st)
	require.Equal(t, m.active, st.Active, "Active of %+v", st)
	require.Equal(t, m.queued(), st.Queued, "Queued of %+v", st)
	require.Equal(t, m.submitted, st.Submitted, "Submitted of %+v", st)
	require.Equal(t, m.completed, st.Completed, "Completed of %+v", st)
	require.Equal(t, m.failed, st.Failed, "Failed of %+v", st)
	require.Equal(t, m.panics, st.Panics, "Panics of %+v", st)
	require.Equal(t, m.goexits, st.Goexits, "Goexits of %+v", st)
	require.Equal(t, m.canceled, st.Canceled, "Canceled of %+v", st)
	require.Equal(t, m.dropped, st.Dropped, "Dropped of %+v", st)
	require.Equal(t, m.rejected, st.Rejected, "Rejected of %+v", st)
	require.Equal(t, m.callerRan, st.CallerRan, "CallerRan of %+v", st)
	for _, v := range m.views {
		require.Equal(t, workerpool.ViewStats{
			Limit: v.limit, Running: v.running, Queued: len(v.pending), Waiters: len(v.blocked),
			Ended: v.ended, Dropped: v.dropped,
		}, v.v.Stats())
	}
}

// room is what a queue of Config.QueueSize n holds.
func room(n int) int {
	switch n {
	case workerpool.NoQueue:
		return 0
	case workerpool.Unbounded:
		return math.MaxInt
	}
	return n
}
