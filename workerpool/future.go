package workerpool

import (
	"context"
	"sync"
	"time"
)

// Future is the result of a task that runs on a pool. Make one with [Go]. All
// methods are safe for concurrent use.
//
// A Future always resolves: also when the task panics (*PanicError), calls
// runtime.Goexit (ErrGoexit), is dropped (ErrDiscarded), or the pool closes with
// it still queued and gives up (ErrClosed).
type Future[T any] struct {
	t     taskCore
	val   T
	watch sync.Once
}

// TaskOption is an option of [Go] and [Group.Go].
type TaskOption func(*taskOptions)

type taskOptions struct {
	Task
	view *View
}

// WithPriority sets the task's priority level, see [Task.Priority].
func WithPriority(level int) TaskOption { return func(o *taskOptions) { o.Priority = level } }

// WithTimeout bounds the task from submission to end, see [Task.Timeout].
func WithTimeout(d time.Duration) TaskOption { return func(o *taskOptions) { o.Timeout = d } }

// WithLabel names the task in panics and stall reports.
func WithLabel(label string) TaskOption { return func(o *taskOptions) { o.Label = label } }

// WithView runs the task within v's cap; v must be a view of the same pool.
func WithView(v *View) TaskOption { return func(o *taskOptions) { o.view = v } }

// Go submits f and returns its Future at once, or as soon as there is room in the
// queue, whatever Config.OnFull says. f's ctx ends with ctx, with the task's
// timeout, by Cancel, or when a Shutdown gives up. If f cannot be accepted, the
// Future is resolved with the reason.
func Go[T any](ctx context.Context, p *Pool, f func(context.Context) (T, error), opts ...TaskOption) *Future[T] {
	fut := new(Future[T])
	var o taskOptions
	for _, opt := range opts {
		opt(&o)
	}
	if f != nil {
		o.Run = func(ctx context.Context) error {
			v, err := f(ctx)
			fut.val = v
			return err
		}
	}
	err := ErrClosed
	if p != nil && p.c != nil {
		err = fut.t.init(ctx, p.c, o.Task)
	}
	if err != nil { // resolve what was never set up
		fut.t.ctx, fut.t.cancel = ctx, func(error) {}
		fut.t.done = make(chan struct{})
		fut.t.state.Store(taskDropped)
		fut.t.finish(err)
		return fut
	}
	_ = fut.t.submit(o.view) // resolves the Future on error
	return fut
}

// Wait waits for the result, or until ctx ends; then it returns ctx.Err() and the
// task goes on. If the task's own ctx ends before the task started, Wait returns
// at once with its error. Called from a task of the same pool, the pool may run
// another worker meanwhile.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-f.t.done:
		return f.val, f.t.err
	default:
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	defer f.t.c.stepAside()()
	select {
	case <-f.t.done:
		return f.val, f.t.err
	case <-ctx.Done():
		return zero, ctx.Err()
	case <-f.t.ctx.Done():
		f.t.expire()
	}
	select {
	case <-f.t.done:
		return f.val, f.t.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

// Done returns a channel that is closed when the result is there.
func (f *Future[T]) Done() <-chan struct{} {
	f.watch.Do(func() {
		if f.t.c != nil {
			context.AfterFunc(f.t.ctx, f.t.expire)
		}
	})
	return f.t.done
}

// Cancel ends the task's ctx. A task that has not started does not run; its Future
// resolves with context.Canceled.
func (f *Future[T]) Cancel() {
	f.t.cancel(context.Canceled)
	if f.t.ctx.Err() != nil {
		f.t.expire()
	}
}
