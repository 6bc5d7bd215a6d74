package lockfree

import (
	"context"
	"iter"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// notNil panics with the package's name if ctx is nil. It is a function of this package
// because generic code is compiled where it is used: there a small function of another
// package is inlined only if this one inlines it, too, in code that is not generic.
func notNil(ctx context.Context) { ctxerr.NotNil(ctx, "lockfree") }

func (l *list[T]) dequeueWait(ctx context.Context) (v T, err error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return v, ctxerr.From(ctx)
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
	notNil(ctx)
	if ctx.Err() != nil || len(buf) == 0 {
		return 0, ctxerr.From(ctx)
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
	notNil(ctx)
	return func(yield func(T, error) bool) {
		for {
			v, err := next(ctx)
			if err == ErrClosed || !yield(v, err) || err != nil {
				return
			}
		}
	}
}
