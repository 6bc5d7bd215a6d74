package workerpool

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Task is a function with what the pool should know about it, for [Pool.Do].
type Task struct {
	// Run is called with a ctx that ends with Do's ctx, after Timeout, or when a
	// Shutdown gives up. Required.
	Run func(ctx context.Context) error
	// Priority is the level, 0 (lowest, the default) to Config.Priorities - 1.
	Priority int
	// Timeout bounds the time from the call that submits the task, which may wait for
	// room, to the task's end; 0 means Config.TaskTimeout.
	Timeout time.Duration
	// Label names the task in panics, stall reports, OnDrop, and profiles: as the
	// pprof label "task" while it runs, beside the labels of its ctx.
	Label string
}

// Do submits t and waits for its end; it returns what t.Run returned. It waits
// for room in the queue whatever Config.Overflow says.
//
// If ctx ends or the Timeout passes before t starts, t does not run and Do returns
// at once: an error that matches ctx.Err() and context.Cause(ctx), or
// ErrQueueTimeout. Once t runs, its ctx is cancelled, with the cause ErrRunTimeout
// for its Timeout, and Do still waits for it to return, so nothing of t goes on
// after Do. A panic of t is returned as a *PanicError, a runtime.Goexit as
// ErrGoexit. ErrClosed, ErrNilTask, ErrNested, ErrFull (Config.MaxWaiters wait) and
// errors about t's fields mean that t did not run.
//
// Called from a task of the same pool, t does not wait in the queue: the worker
// that takes the place of the waiting task runs it at once, unless the pool is
// paused. Where more workers run than may, after a Resize or for a moment after an
// earlier Do, t is the next task that a worker takes.
func (p *Pool) Do(ctx context.Context, t Task) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	tc := new(taskCore)
	if err := tc.init(ctx, p.c, t); err != nil {
		return err
	}
	return tc.do(nil)
}

// taskCore is a task with a ctx and an end that can be waited for: the job under
// Do, Go and Group.
type taskCore struct {
	c      *core[job]
	parent context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // releases the deadline's timer; nil without one
	watch  func() bool        // stops what ends the task in the queue at its deadline; nil without
	fn     func(context.Context) error
	label  string
	level  *level[job]
	state  atomic.Int32
	done   chan struct{} // closed after err is set
	err    error
	ended  func()       // called once before done is closed, if not nil
	away   absence[job] // of the task that waits in Do; over when t is
}

// States of a taskCore. The goroutine that moves it out of taskQueued decides how it ends.
const (
	taskQueued = iota
	taskStarted
	taskDropped
)

func (t *taskCore) init(ctx context.Context, c *core[job], spec Task) error {
	ctxerr.NotNil(ctx, "workerpool")
	if spec.Run == nil {
		return ErrNilTask
	}
	if spec.Priority < 0 || spec.Priority >= len(c.desk.q.levels) {
		return fmt.Errorf("workerpool: Priority %d is not in 0..%d", spec.Priority, len(c.desk.q.levels)-1)
	}
	if spec.Timeout < 0 {
		return fmt.Errorf("workerpool: Timeout %v is negative", spec.Timeout)
	}
	if err := ctxerr.From(ctx); err != nil {
		return err
	}
	t.c, t.fn, t.label = c, spec.Run, spec.Label
	t.level = &c.desk.q.levels[spec.Priority]
	t.done = make(chan struct{})
	t.parent = ctx
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	if spec.Timeout == 0 {
		spec.Timeout = c.cfg.TaskTimeout
	}
	if spec.Timeout > 0 { // a task whose deadline passes in the queue never sees this cause
		t.ctx, t.stop = context.WithTimeoutCause(t.ctx, spec.Timeout, ErrRunTimeout)
	}
	return nil
}

// submit hands t to its pool or view. After an error the caller calls refused.
func (t *taskCore) submit(v *View, overflow Overflow) error {
	if t.c.alert.Load()&alertCtx == 0 {
		t.c.alert.Or(alertCtx)
	}
	err := ctxerr.From(t.ctx)
	switch {
	case err != nil:
	case v != nil && (v.closed() || v.g.c != t.c):
		err = errors.New("workerpool: WithView: a view of another pool")
	case v != nil:
		err = v.g.submit(t.ctx, t, overflow)
	default:
		err = t.c.submitSlow(t.ctx, t.level, t, overflow)
	}
	return err
}

// refused ends t if err, of its submission, is not nil.
func (t *taskCore) refused(err error) error {
	if err == nil {
		return nil
	}
	err = t.reason(err)
	if t.state.CompareAndSwap(taskQueued, taskDropped) {
		t.finish(err)
	}
	return err
}

// reason is what t ends with whose submission returned err.
func (t *taskCore) reason(err error) error {
	if t.ctx.Err() != nil && err != ErrClosed {
		return t.ctxErr()
	}
	return err
}

// do submits t and waits for its end.
func (t *taskCore) do(v *View) error {
	away, err := absent(&t.c.desk.crew)
	if err != nil {
		return t.refused(err)
	}
	// The worker that runs t must be surplus as soon as t has ended: if it took
	// another task then, that would run beside the one that waited for t.
	t.away = away
	err = ErrFull
	if away.own != nil {
		if v == nil {
			err = t.c.desk.runNested(t)
		}
		if err == ErrFull {
			t.c.desk.kick() // the place is anybody's
		}
	}
	if err == ErrFull {
		err = t.submit(v, Block)
	}
	if err := t.refused(err); err != nil {
		return err
	}
	select {
	case <-t.done:
	case <-t.ctx.Done():
		t.expire()
		<-t.done
	}
	return t.err
}

// expire ends t now if its ctx is done and it has not started. Its place in the
// queue stays until a worker comes to it, or somebody needs it: see weed.
func (t *taskCore) expire() {
	if t.state.CompareAndSwap(taskQueued, taskDropped) {
		t.finish(t.ctxErr())
	}
}

// ctxErr is the result of a task whose ctx ended before it started.
func (t *taskCore) ctxErr() error {
	if t.late() {
		return ErrQueueTimeout
	}
	if err := ctxerr.From(t.parent); err != nil {
		return err
	}
	return ctxerr.From(t.ctx)
}

// late reports whether t's own Timeout has ended its ctx.
func (t *taskCore) late() bool {
	return t.stop != nil && context.Cause(t.ctx) == ErrRunTimeout && context.Cause(t.parent) != ErrRunTimeout
}

func (t *taskCore) finish(err error) {
	t.err = err
	t.fn = nil
	t.cancel(nil)
	if t.stop != nil {
		t.stop()
	}
	if t.ended != nil {
		t.ended()
	}
	t.away.back()
	close(t.done)
}

// drop implements job.
func (t *taskCore) drop(err error) {
	if t.state.CompareAndSwap(taskQueued, taskDropped) {
		t.finish(err)
	}
}

// over implements job.
func (t *taskCore) over() (ending, bool) {
	if t.state.Load() != taskDropped && t.ctx.Err() == nil {
		return 0, false
	}
	return t.howOver(), true
}

func (t *taskCore) howOver() ending {
	if errors.Is(t.ctx.Err(), context.DeadlineExceeded) {
		return timedOut
	}
	return canceled
}

// bury implements job.
func (t *taskCore) bury() { t.expire() }

// report implements job.
func (t *taskCore) report() DroppedTask { return DroppedTask{Label: taskName(t)} }

// run implements job.
func (t *taskCore) run(w *worker[job]) {
	if t.ctx.Err() != nil {
		t.expire()
	}
	if !t.state.CompareAndSwap(taskQueued, taskStarted) {
		t.c.books.end(t.howOver())
		return
	}
	if t.watch != nil {
		t.watch()
	}
	w.begin(t, t.cancel, t.c.clock.now())
	if t.c.alert.Load()&alertExpired != 0 {
		t.cancel(ErrClosed) // Shutdown may have looked at w before begin
	}
	var err error
	var how fate
	defer func() {
		w.clearNow()
		t.runEnded(err, &how)
	}()
	w.booked = true // read when the goroutine ends before contain has returned
	contain(&how, func() {
		ctx := t.ctx
		if t.label != "" { // here, because the user's ctx is asked for its labels
			ctx = withLabels(ctx, t.c.cfg.Name, t.label)
			pprof.SetGoroutineLabels(ctx)
		}
		err = t.fn(ctx)
	})
	w.booked = false
}

// runEnded books and publishes the end of a task that ran.
func (t *taskCore) runEnded(err error, how *fate) {
	b := &t.c.books
	if t.late() {
		b.runTimeouts.Add(1)
	}
	switch {
	case how.kind == panicked:
		err = t.c.reports.panicError("task", t.label, how)
		b.panics.Add(1)
	case how.kind == exited:
		err = ErrGoexit
		b.goexits.Add(1)
	case err != nil:
		b.failed.Add(1)
	}
	t.finish(err)
}
