package workerpool

import (
	"context"
	"iter"
	"slices"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Map calls f for every value of in, on the pool, and yields the results in the
// order of in, with f's error beside each. It runs ahead of the loop that reads
// it by at most twice the pool's MaxWorkers, so in may be endless, and takes its
// values from in within that loop's goroutine.
//
// Leaving the loop cancels what was begun and waits for it. When ctx ends, the
// results due from then on are those that were ready and the ctx's error for the
// others. A panic in f is that result's *PanicError, a nil f makes every result
// ErrNilTask. While the pool's queue is full, Map waits for room before it yields
// the next result. In a task of the same pool, where Config.MaxNested tasks wait
// already, a result that is not ready is ErrNested, and what would give it is cancelled.
func Map[T, R any](ctx context.Context, p *Pool, in iter.Seq[T], f func(context.Context, T) (R, error), opts ...TaskOption) iter.Seq2[R, error] {
	ctxerr.NotNil(ctx, "workerpool")
	return func(yield func(R, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var ahead, left []*Future[R] // oldest first; left: cancelled, and perhaps not ended
		defer func() {
			cancel()
			for _, fut := range ahead {
				_, _ = fut.Wait(context.Background())
			}
			for _, fut := range append(left, ahead...) {
				<-fut.Done() // where Wait may not wait
			}
		}()
		width := 2
		if p != nil && p.c != nil {
			width = 2 * p.Stats().MaxWorkers
		}
		first := func() bool {
			fut := ahead[0]
			ahead[0] = nil
			ahead = ahead[1:]
			v, err := fut.Wait(context.Background())
			if err == ErrNested { // perhaps of Wait itself
				fut.Cancel()
				left = append(slices.DeleteFunc(left, (*Future[R]).over), fut)
			}
			return yield(v, err)
		}
		for v := range in {
			var task func(context.Context) (R, error)
			if f != nil {
				task = func(ctx context.Context) (R, error) { return f(ctx, v) }
			}
			ahead = append(ahead, Go(ctx, p, task, opts...))
			if len(ahead) >= width && !first() {
				return
			}
		}
		for len(ahead) > 0 {
			if !first() {
				return
			}
		}
	}
}
