package workerpool_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/workerpool"
)

// modelRun does one operation after the other to a pool and to the model, in a
// synctest bubble, and compares the two whenever the pool has done all it can.
type modelRun struct {
	*model
	t      *rapid.T
	p      *workerpool.Pool
	group  *workerpool.Group
	tasks  []*modelTask
	closes []chan error

	mu      sync.Mutex
	started []int // guarded by mu; ids, as the pool started them
}

// body is what a task does: note that it started, wait, end.
func (r *modelRun) body(t *modelTask) error {
	r.mu.Lock()
	r.started = append(r.started, t.id)
	r.mu.Unlock()
	switch <-t.gate {
	case fails:
		return errBoom
	case panics:
		panic(errBoom)
	case goexits:
		runtime.Goexit()
	}
	return nil
}

// submit submits a new task; try is for plain ones.
func (r *modelRun) submit(k kind, priority int, view *modelView, try bool) {
	t := &modelTask{
		id: len(r.tasks), kind: k, priority: priority, view: view,
		gate: make(chan ending, 1), result: make(chan error, 1),
	}
	r.tasks = append(r.tasks, t)
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(bg)
	run := func(context.Context) error { return r.body(t) }
	opts := []workerpool.TaskOption{workerpool.WithPriority(priority)}
	submit, trySubmit, doIt := r.p.Submit, r.p.TrySubmit, r.p.Do
	if view != nil {
		opts = append(opts, workerpool.WithView(view.v))
		submit, trySubmit, doIt = view.v.Submit, view.v.TrySubmit, view.v.Do
	}
	go func() {
		err := errEnded
		defer func() { t.result <- err }()
		switch {
		case k == plain && try:
			err = trySubmit(func() { _ = r.body(t) })
		case k == plain:
			err = submit(func() { _ = r.body(t) })
		case k == future:
			_, err = workerpool.Go(ctx, r.p, func(ctx context.Context) (int, error) { return t.id, run(ctx) }, opts...).Wait(bg)
		case k == do:
			err = doIt(ctx, workerpool.Task{Run: run, Priority: priority})
		case k == grouped:
			r.group.Go(run, opts...)
			err = nil
		}
	}()
	synctest.Wait()
	policy := r.policy
	switch {
	case k != plain:
		policy = workerpool.Block
	case try:
		policy = workerpool.Reject
	}
	r.model.submit(t, policy)
}

// compare holds the pool against the model, at rest.
func (r *modelRun) compare() {
	synctest.Wait()
	r.model.check(r.t, r.p.Stats())
	held := 0
	for _, v := range r.views {
		held += len(v.pending)
	}
	require.EqualValues(r.t, held, workerpool.Held(r.p))
	runs := make([]int, len(r.tasks))
	r.mu.Lock()
	for _, id := range r.started {
		runs[id]++
	}
	r.mu.Unlock()
	for i, t := range r.tasks {
		want := 0
		if t.runs {
			want = 1
		}
		require.Equal(r.t, want, runs[i], "runs of task %d, %+v", i, t)
		if t.kind != grouped {
			r.compareResult(t)
		}
	}
}

func (r *modelRun) compareResult(t *modelTask) {
	select {
	case err := <-t.result:
		require.True(r.t, t.done, "task %d ended early: %v", t.id, err)
		if t.err == nil {
			require.NoError(r.t, err, "task %d", t.id)
		} else {
			require.ErrorIs(r.t, err, t.err, "task %d", t.id)
		}
		t.result <- err // for the next time
	default:
		require.False(r.t, t.done, "task %d has not ended: %v", t.id, t.err)
	}
}

func (r *modelRun) finish(n int, how ending) {
	if len(r.running) > 0 {
		t := r.running[n%len(r.running)]
		t.gate <- how
		synctest.Wait()
		r.model.finish(t, how)
	}
}

func (r *modelRun) cancel(n int) {
	t := r.tasks[n%len(r.tasks)]
	if t.kind != future && t.kind != do || t.view != nil && r.limit > 1 && !t.runs {
		return // others cannot be canceled; workers pass what follows in a view in any order
	}
	t.cancel()
	synctest.Wait()
	r.model.cancel(t)
}

func (r *modelRun) pause() {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if err := r.p.Pause(ctx); r.closed {
		require.ErrorIs(r.t, err, workerpool.ErrClosed)
	} else {
		require.ErrorIs(r.t, err, context.Canceled)
		r.paused = true
	}
}

func (r *modelRun) resume() {
	r.p.Resume()
	r.paused = false
	r.settle()
}

// grow resizes upwards only: busy workers above a lowered limit go on.
func (r *modelRun) grow(n int) {
	n = max(n, r.limit)
	if err := r.p.Resize(0, n); r.closed {
		require.ErrorIs(r.t, err, workerpool.ErrClosed)
		return
	}
	r.limit = n
	r.settle()
}

func (r *modelRun) close() {
	if r.waitingPlaced() > 1 {
		return
	}
	done := make(chan error, 1)
	go func() { done <- r.p.Close() }()
	r.closes = append(r.closes, done)
	synctest.Wait()
	r.model.close()
}

func (r *modelRun) shutdown() {
	if r.waitingPlaced() > 1 {
		return
	}
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- r.p.Shutdown(ctx) }()
	synctest.Wait()
	r.model.close()
	cancel()
	synctest.Wait()
	err := <-done
	waits := r.active + r.queued()
	for _, v := range r.views {
		waits += len(v.pending)
	}
	if waits == 0 {
		require.NoError(r.t, err)
		return
	}
	active := r.active
	var se *workerpool.ShutdownError
	require.ErrorAs(r.t, err, &se)
	require.Equal(r.t, r.expire(), len(se.Dropped))
	require.Equal(r.t, active, se.Running)
	require.ErrorIs(r.t, se, context.Canceled)
}

// end finishes all and closes.
func (r *modelRun) end() {
	r.resume()
	r.compare()
	for len(r.running) > 0 {
		r.finish(0, returns)
		r.compare()
	}
	require.NoError(r.t, r.p.Close())
	r.model.close()
	for _, done := range r.closes {
		require.NoError(r.t, <-done)
	}
	r.compare()
	st := r.p.Stats()
	checkBooks(r.t, st)
	require.Zero(r.t, st.Workers)
	var want []error
	for _, t := range r.tasks {
		require.True(r.t, t.done, "task %d has no end", t.id)
		if t.kind == grouped && t.err != nil {
			want = append(want, t.err)
		}
	}
	err := r.group.Wait()
	if len(want) == 0 {
		require.NoError(r.t, err)
		return
	}
	require.Len(r.t, err.(interface{ Unwrap() []error }).Unwrap(), len(want))
	for _, e := range want {
		require.ErrorIs(r.t, err, e)
	}
}

// Any sequence of submissions of all kinds, through views and with priorities,
// ends in all ways, cancels, pauses, resizes and closes leaves the pool where the
// model is: each task ran once or was handed back as documented, and all books
// agree.
func TestPoolAgainstAModel(t *testing.T) {
	watch(t)
	rapid.Check(t, func(rt *rapid.T) { inABubble(t, rt, runModel) })
}

// inABubble runs f in a synctest bubble. A panic of f goes on outside, where rapid
// expects it; a check that failed returns, which lets rapid tell that from an input that
// has grown too short, and make the input smaller.
func inABubble(t *testing.T, rt *rapid.T, f func(*rapid.T)) {
	var cause any
	defer func() {
		if cause == nil {
			return
		}
		_ = recover() // synctest's, about the goroutines that f left behind
		if !rt.Failed() {
			panic(cause)
		}
	}()
	synctest.Test(t, func(*testing.T) {
		defer func() {
			switch cause = recover(); cause.(type) {
			case string, error: // not one of rapid's own
				rt.Errorf("panic: %v\n%s", cause, debug.Stack())
			}
		}()
		f(rt)
	})
}

func runModel(rt *rapid.T) {
	size := rapid.SampledFrom([]int{workerpool.NoQueue, 1, 2, 7, workerpool.Unbounded}).Draw(rt, "QueueSize")
	policies := []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.CallerRuns, workerpool.DropNewest, workerpool.DropOldest}
	priorities := rapid.SampledFrom([]int{1, 3}).Draw(rt, "Priorities")
	if size == workerpool.NoQueue {
		policies, priorities = policies[:4], 1
	}
	workers := rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(rt, "MaxWorkers")
	r := &modelRun{t: rt, model: &model{
		size: room(size), limit: workers, policy: rapid.SampledFrom(policies).Draw(rt, "Overflow"),
	}}
	for range priorities {
		r.levels = append(r.levels, new(modelLevel))
	}
	var err error
	r.p, err = workerpool.New(workerpool.Config{
		MaxWorkers: workers, QueueSize: size, Overflow: r.policy, Priorities: priorities,
		Spin:        rapid.SampledFrom([]time.Duration{0, -1}).Draw(rt, "Spin"),
		IdleTimeout: rapid.SampledFrom([]time.Duration{0, -1}).Draw(rt, "IdleTimeout"),
		OnPanic:     func(*workerpool.PanicError) {},
	})
	require.NoError(rt, err)
	for _, limit := range []int{1, 2} {
		r.views = append(r.views, &modelView{v: r.p.Limit(limit), limit: limit})
	}
	r.group = r.p.Group(bg)
	defer func() { // the bubble must end, also after a failure
		for _, t := range r.tasks {
			select {
			case t.gate <- returns:
			default:
			}
			t.cancel()
		}
		_ = r.p.Close()
		synctest.Wait()
	}()
	// A worker's 64th look at the queues begins with the lowest level: fewer steps.
	for range rapid.IntRange(1, 25).Draw(rt, "steps") {
		switch op := rapid.IntRange(0, 29).Draw(rt, "op"); {
		case op < 14:
			var view *modelView
			if i := rapid.IntRange(-1, 1).Draw(rt, "view"); i >= 0 {
				view = r.views[i]
			}
			k := kind(rapid.IntRange(0, 3).Draw(rt, "kind"))
			priority := 0
			if k != plain {
				priority = rapid.IntRange(0, priorities-1).Draw(rt, "priority")
			}
			r.submit(k, priority, view, op%3 == 0)
		case op < 21:
			r.finish(rapid.IntRange(0, 9).Draw(rt, "which"), ending(rapid.IntRange(0, 3).Draw(rt, "ending")))
		case op < 23:
			if len(r.tasks) > 0 {
				r.cancel(rapid.IntRange(0, 24).Draw(rt, "which"))
			}
		case op < 24:
			r.pause()
		case op < 26:
			r.resume()
		case op < 27:
			r.grow(rapid.IntRange(1, 6).Draw(rt, "max"))
		case op < 28 && len(r.tasks) > 6:
			r.close()
		case op < 29 && len(r.tasks) > 8:
			r.shutdown()
		}
		r.compare()
	}
	r.end()
}
