package workerpool

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Task is a function with what the pool should know about it, for [Pool.Do].
type Task struct {
	// Run is called with a ctx that ends with Do's ctx, after Timeout, or when a
	// Shutdown gives up. Required.
	Run func(ctx context.Context) error
	// Priority is the level, 0 (lowest, the default) to Config.Priorities - 1.
	Priority int
	// Timeout bounds the time from submission to end; 0 means Config.TaskTimeout.
	Timeout time.Duration
	// Label names the task in panics and stall reports.
	Label string
}

// Do submits t and waits for its end; it returns what t.Run returned. It waits
// for room in the queue whatever Config.OnFull says.
//
// If ctx ends or the Timeout passes before t starts, t does not run and Do returns
// at once: ctx.Err() or ErrTimeout. Once t runs, its ctx is cancelled and Do still
// waits for it to return, so nothing of t goes on after Do. A panic of t is
// returned as a *PanicError, a runtime.Goexit as ErrGoexit. ErrClosed, ErrNilTask
// and errors about t's fields mean that t did not run.
func (p *Pool) Do(ctx context.Context, t Task) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	tc := new(taskCore)
	if err := tc.init(ctx, p.c, t); err != nil {
		return err
	}
	if err := tc.submit(nil); err != nil {
		return err
	}
	return tc.await()
}

// taskCore is a task with a ctx and an end that can be waited for: the job under
// Do, Go and Group.
type taskCore struct {
	c      *core[job]
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // releases the deadline's timer; nil without one
	fn     func(context.Context) error
	label  string
	level  *level[job]
	state  atomic.Int32
	done   chan struct{} // closed after err is set
	err    error
	ended  func() // called once before done is closed, if not nil
}

// States of a taskCore; whoever moves it out of taskQueued decides its fate.
const (
	taskQueued = iota
	taskStarted
	taskDropped
)

func (t *taskCore) init(ctx context.Context, c *core[job], spec Task) error {
	if spec.Run == nil {
		return ErrNilTask
	}
	if spec.Priority < 0 || spec.Priority >= len(c.levels) {
		return fmt.Errorf("workerpool: Priority %d is not in 0..%d", spec.Priority, len(c.levels)-1)
	}
	if spec.Timeout < 0 {
		return fmt.Errorf("workerpool: Timeout %v is negative", spec.Timeout)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.c, t.fn, t.label = c, spec.Run, spec.Label
	t.level = &c.levels[spec.Priority]
	t.done = make(chan struct{})
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	if spec.Timeout == 0 {
		spec.Timeout = c.cfg.TaskTimeout
	}
	if spec.Timeout > 0 {
		t.ctx, t.stop = context.WithTimeoutCause(t.ctx, spec.Timeout, ErrTimeout)
	}
	return nil
}

// submit hands t to its pool or view. On an error t will not run, and its ended
// has been called.
func (t *taskCore) submit(v *View) error {
	var err error
	switch {
	case v != nil && (v.p == nil || v.p.c != t.c):
		err = errors.New("workerpool: WithView: a view of another pool")
	case v != nil:
		err = v.submit(t.ctx, t, Block)
	default:
		err = t.c.submitWait(t.ctx, t.level, t)
	}
	if err != nil {
		if t.ctx.Err() != nil && err != ErrClosed {
			err = t.ctxErr()
		}
		t.state.Store(taskDropped)
		t.finish(err)
	}
	return err
}

// await waits for the end of t, or drops it if its ctx ends while it is queued.
func (t *taskCore) await() error {
	select {
	case <-t.done:
		return t.err
	default:
	}
	defer t.c.stepAside()()
	select {
	case <-t.done:
	case <-t.ctx.Done():
		t.expire()
		<-t.done
	}
	return t.err
}

// expire ends t now if its ctx is done and it has not started. Its place in the
// queue stays until a worker comes to it.
func (t *taskCore) expire() {
	if t.state.CompareAndSwap(taskQueued, taskDropped) {
		t.finish(t.ctxErr())
	}
}

func (t *taskCore) ctxErr() error {
	if errors.Is(context.Cause(t.ctx), ErrTimeout) {
		return ErrTimeout
	}
	return t.ctx.Err()
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
	close(t.done)
}

// drop implements job.
func (t *taskCore) drop(err error) {
	if t.state.CompareAndSwap(taskQueued, taskDropped) {
		t.finish(err)
	}
}

// run implements job.
func (t *taskCore) run(w *worker) (o outcome) {
	if t.ctx.Err() != nil {
		t.expire()
	}
	if !t.state.CompareAndSwap(taskQueued, taskStarted) {
		if errors.Is(t.ctxErr(), context.DeadlineExceeded) {
			return timedOut
		}
		return canceled
	}
	w.begin(t, t.cancel, t.c.clock.now())
	if t.c.alert.Load()&alertExpired != 0 {
		t.cancel(ErrClosed) // Shutdown may have looked at w before begin
	}
	err := ErrGoexit // until fn has returned
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack(), Label: t.label, Pool: t.c.cfg.Name}
			o = panicked
		}
		w.clearNow()
		t.finish(err)
	}()
	if err = t.fn(t.ctx); err != nil {
		return failed
	}
	return completed
}

// begin notes what w runs.
func (w *worker) begin(task any, cancel func(error), now int64) {
	r := w.now.Load()
	if r == nil {
		r = new(running)
		w.now.Store(r)
	}
	r.mu.Lock()
	r.task, r.cancel, r.since, r.told = task, cancel, now, false
	r.mu.Unlock()
}

// clearNow notes that w runs nothing.
func (w *worker) clearNow() {
	if r := w.now.Load(); r != nil {
		r.mu.Lock()
		r.task, r.cancel = nil, nil
		r.mu.Unlock()
	}
}
