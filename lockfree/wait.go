package lockfree

import (
	"context"
	"iter"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// ended returns why ctx has ended, nil while it has not. It panics with the
// package's name if ctx is nil.
func ended(ctx context.Context) error {
	ctxerr.NotNil(ctx, "lockfree")
	return ctxerr.From(ctx)
}

func (l *list[T]) dequeueWait(ctx context.Context) (v T, err error) {
	if err := ended(ctx); err != nil {
		return v, err
	}
	if v, ok := l.dequeue(); ok {
		return v, nil
	}
	return l.dequeueWaitSlow(ctx)
}

func (l *list[T]) dequeueWaitSlow(ctx context.Context) (v T, err error) {
	err = l.notEmpty.await(ctx, func() (ok bool) {
		v, ok = l.dequeue()
		return ok
	}, l.isOver, l.isInhabited)
	return v, err
}

func (l *list[T]) dequeueBatchWait(ctx context.Context, buf []T) (n int, err error) {
	if err := ended(ctx); err != nil || len(buf) == 0 {
		return 0, err
	}
	if n := l.dequeueBatch(buf); n > 0 {
		return n, nil
	}
	return l.dequeueBatchWaitSlow(ctx, buf)
}

func (l *list[T]) dequeueBatchWaitSlow(ctx context.Context, buf []T) (n int, err error) {
	err = l.notEmpty.await(ctx, func() bool {
		n = l.dequeueBatch(buf)
		return n > 0
	}, l.isOver, l.isInhabited)
	return n, err
}

// isInhabited reports whether a dequeue may succeed.
func (l *list[T]) isInhabited() bool {
	_, h := l.front()
	_, t := l.back()
	return t != h
}

func drain[T any](try func() (T, bool)) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, ok := try()
			if !ok || !yield(v) {
				return
			}
		}
	}
}

func all[T any](ctx context.Context, next func(context.Context) (T, error)) iter.Seq2[T, error] {
	ctxerr.NotNil(ctx, "lockfree")
	return func(yield func(T, error) bool) {
		for {
			v, err := next(ctx)
			if err == ErrClosed || !yield(v, err) || err != nil {
				return
			}
		}
	}
}
