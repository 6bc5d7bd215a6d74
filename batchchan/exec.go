package batchchan

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// executor calls the user's functions: the processor with its time limit and
// retries, and the hooks. Nothing in it is called under a lock.
type executor[T any] struct {
	cfg        Config[T]
	ctx        context.Context // the processor's; cancelled when Shutdown gives up
	cancel     context.CancelFunc
	hookPanics atomic.Uint64
}

func (x *executor[T]) init(cfg Config[T]) {
	x.cfg = cfg
	x.ctx, x.cancel = context.WithCancel(context.WithValue(context.Background(), x, true))
}

// inside says whether ctx is, or comes from, the processor's: x itself is the
// key that marks it.
func (x *executor[T]) inside(ctx context.Context) bool { return ctx.Value(x) != nil }

// execute runs the processor on b until it succeeds or fails for good, and
// records in b what became of it. It returns with no panic whatever the user's
// functions do; runtime.Goexit it cannot stop, only book.
func (x *executor[T]) execute(b *batch[T], fn func(context.Context, *batch[T]) error) {
	b.failed = true
	err := x.attempt(b, fn)
	for attempt := 1; err != nil; attempt++ {
		if !x.retry(attempt, err) {
			x.report(err, b)
			return
		}
		b.retries++
		err = x.attempt(b, fn)
	}
	b.failed = false
}

// attempt calls the processor once.
func (x *executor[T]) attempt(b *batch[T], fn func(context.Context, *batch[T]) error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			b.panics++
			err = &PanicError{Value: r, Stack: debug.Stack()}
			return
		}
		x.report(ErrGoexit, b) // the goroutine is ending
	}()
	if x.cfg.Timeout > 0 {
		err = x.attemptTimed(b, fn)
	} else {
		err = fn(x.ctx, b)
	}
	returned = true
	return err
}

func (x *executor[T]) attemptTimed(b *batch[T], fn func(context.Context, *batch[T]) error) error {
	ctx, cancel := context.WithTimeout(x.ctx, x.cfg.Timeout)
	defer cancel()
	return fn(ctx, b)
}

// retry says whether to try again after the given attempt failed, and waits for
// the time to do so.
func (x *executor[T]) retry(attempt int, err error) bool {
	r := &x.cfg.Retry
	if attempt >= r.MaxAttempts || x.ctx.Err() != nil || !x.retryable(err) {
		return false
	}
	d := r.MaxBackoff
	if shift := attempt - 1; shift < 62 && r.Backoff <= r.MaxBackoff>>shift {
		d = r.Backoff << shift
	}
	if !r.NoJitter && d > 1 {
		d -= rand.N(d/2 + 1)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.ctx.Done():
		return false
	}
}

func (x *executor[T]) retryable(err error) (ok bool) {
	if f := x.cfg.Retry.Retryable; f != nil {
		defer x.contain()
		return f(err)
	}
	var p *PanicError
	return !errors.As(err, &p)
}

// report hands a batch that failed for good to OnError.
func (x *executor[T]) report(err error, b *batch[T]) {
	if x.cfg.OnError != nil {
		defer x.contain()
		x.cfg.OnError(err, b.items[b.off:])
	}
}

// drop hands a dropped item to OnDrop.
func (x *executor[T]) drop(item T, why DropReason) {
	if x.cfg.OnDrop != nil {
		defer x.contain()
		x.cfg.OnDrop(item, why)
	}
}

// contain, deferred, recovers from the panic of a hook and counts it.
func (x *executor[T]) contain() {
	if r := recover(); r != nil {
		x.hookPanics.Add(1)
	}
}
