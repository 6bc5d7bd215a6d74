package workerpool

import (
	"context"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Future is the result of a task that runs on a pool. Make one with [Go]. All
// methods are safe for concurrent use.
//
// A Future always resolves: also when the task panics (*PanicError), calls
// runtime.Goexit (ErrGoexit), is dropped (ErrDropped), or the pool closes with
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

// WithLabel names the task, see [Task.Label].
func WithLabel(label string) TaskOption { return func(o *taskOptions) { o.Label = label } }

// WithView runs the task within v's cap; v must be a view of the same pool, or nil for
// none.
func WithView(v *View) TaskOption { return func(o *taskOptions) { o.view = v } }

// Go submits f and returns its Future at once, or as soon as there is room in the
// queue, whatever Config.Overflow says. f's ctx ends with ctx, with the task's
// timeout, by Cancel, or when a Shutdown gives up. If f cannot be accepted, the
// Future is resolved with the reason: ErrFull if Config.MaxWaiters wait already,
// ErrNested if Config.MaxNested tasks do.
func Go[T any](ctx context.Context, p *Pool, f func(context.Context) (T, error), opts ...TaskOption) *Future[T] {
	fut := new(Future[T])
	_ = fut.submit(ctx, p, f, opts, Block) // resolves the Future on error
	return fut
}

// TryGo is [Go] that never waits: where there is no room for f it returns ErrFull,
// and no Future. Other errors are those that Go resolves its Future with.
func TryGo[T any](ctx context.Context, p *Pool, f func(context.Context) (T, error), opts ...TaskOption) (*Future[T], error) {
	fut := new(Future[T])
	if err := fut.submit(ctx, p, f, opts, Reject); err != nil {
		return nil, err
	}
	return fut, nil
}

func (f *Future[T]) submit(ctx context.Context, p *Pool, fn func(context.Context) (T, error), opts []TaskOption, overflow Overflow) error {
	ctxerr.NotNil(ctx, "workerpool")
	var o taskOptions
	for _, opt := range opts {
		opt(&o)
	}
	if fn != nil {
		o.Run = func(ctx context.Context) error {
			v, err := fn(ctx)
			f.val = v
			return err
		}
	}
	err := ErrClosed
	if p != nil && p.c != nil {
		err = f.t.init(ctx, p.c, o.Task)
	}
	if err == nil {
		return f.t.refused(f.t.submit(o.view, overflow))
	}
	// Resolve what was never set up.
	f.t.ctx, f.t.cancel = ctx, func(error) {}
	f.t.done = make(chan struct{})
	f.t.state.Store(taskDropped)
	f.t.finish(err)
	return err
}

// Wait waits for the result, or until ctx ends; then it returns an error that
// matches ctx.Err() and context.Cause(ctx), and the task goes on. If the task's own
// ctx ends before the task started, Wait returns at once with its error. Called from
// a task of the same pool, the pool may run another worker meanwhile, or Wait
// returns ErrNested, without waiting, where Config.MaxNested tasks wait already.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	ctxerr.NotNil(ctx, "workerpool")
	select {
	case <-f.t.done:
		return f.val, f.t.err
	default:
	}
	var zero T
	if err := ctxerr.From(ctx); err != nil {
		return zero, err
	}
	away, err := f.t.c.desk.stepAside()
	if err != nil {
		return zero, err
	}
	defer away.back()
	select {
	case <-f.t.done:
		return f.val, f.t.err
	case <-ctx.Done():
		return zero, ctxerr.From(ctx)
	case <-f.t.ctx.Done():
		f.t.expire()
	}
	select {
	case <-f.t.done:
		return f.val, f.t.err
	case <-ctx.Done():
		return zero, ctxerr.From(ctx)
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

// over reports whether the result is there.
func (f *Future[T]) over() bool {
	select {
	case <-f.t.done:
		return true
	default:
		return false
	}
}

// Cancel ends the task's ctx. A task that has not started does not run; its Future
// resolves with context.Canceled.
func (f *Future[T]) Cancel() {
	f.t.cancel(context.Canceled)
	if f.t.ctx.Err() != nil {
		f.t.expire()
	}
}
