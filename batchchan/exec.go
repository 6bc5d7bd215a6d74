package batchchan

import (
	"context"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
)

// Limiter decides when the processor may be called. *rate.Limiter of
// golang.org/x/time/rate is one.
type Limiter interface {
	// Wait waits until one call is allowed. It returns an error when ctx is done
	// or the wait is hopeless; the batch fails with it as if the processor had
	// returned it.
	Wait(ctx context.Context) error
}

// executor calls the user's functions: the processor with its time limit and
// retries, and the hooks. Nothing in it is called under a lock.
type executor[T any] struct {
	cfg        Config[T]
	ctx        context.Context // the processor's; cancelled when Shutdown gives up
	cancel     context.CancelFunc
	hookPanics atomic.Uint64
	failures   failures // since the last report
	silent     bool     // nobody asks for that report: a Caller's requests have their answers
	backOffs   backOffs
	aside      *aside // the places for batches that wait for their next attempt; nil: none
}

// processFunc is the processor of a batch.
type processFunc[T any] func(ctx context.Context, items []T) error

func (x *executor[T]) init(cfg Config[T]) {
	x.cfg = cfg
	x.failures.name = cfg.Name
	ctx := context.WithValue(context.Background(), x, true)
	if cfg.Name != "" { // in the ctx, or the label would end with a pprof.Do in the processor
		ctx = pprof.WithLabels(ctx, pprof.Labels("poundlock", cfg.Name))
	}
	x.ctx, x.cancel = context.WithCancel(ctx)
	if cfg.Retry.MaxAside > 0 {
		x.aside = &aside{max: cfg.Retry.MaxAside}
	}
}

// inside says whether ctx is, or comes from, the processor's: x itself is the
// key that marks it.
func (x *executor[T]) inside(ctx context.Context) bool { return ctx.Value(x) != nil }

// mayWait says whether one more send may wait for room, besides so many that do.
func (x *executor[T]) mayWait(waiting int) bool {
	return x.cfg.MaxWaiters == 0 || waiting < x.cfg.MaxWaiters
}

// label labels the calling goroutine, a worker, with the instance's name.
func (x *executor[T]) label() {
	if x.cfg.Name != "" {
		pprof.SetGoroutineLabels(x.ctx)
	}
}

// execute runs the processor on b until every item is done or has failed for
// good, and records in b what became of it; or until b is to wait for its next
// attempt aside: then b.again.wait is positive, and execute must be called again
// when that time has passed. It returns with no panic whatever the user's functions
// do. If the processor calls runtime.Goexit, it does not return: the goroutine is
// ending, and lost must be called before b is looked at.
func (x *executor[T]) execute(b *batch[T], fn processFunc[T]) {
	if b.again != nil {
		x.resume(b, fn)
		return
	}
	b.failed = 0
	items := b.items[b.off:]
	if err := x.attempt(b, items, fn); err != nil {
		b.again = &again[T]{rest: items, calls: 1, attempt: 1, err: err}
		x.settle(b, fn)
	}
}

// attempt calls the processor once. Its panic becomes an error.
func (x *executor[T]) attempt(b *batch[T], items []T, fn processFunc[T]) error {
	err := x.call(b, items, fn)
	if err != nil && b.again != nil {
		b.again.lost = nil // it was a panic, and the goroutine goes on
	}
	return err
}

// call calls the processor. A panic that was raised while the goroutine was ending
// looks here like any other, but when it has been recovered from, the goroutine goes on
// ending. So after every panic all of b that is not settled is lost, until attempt says
// that call has returned. (A second deferred function, around call, could see the
// difference, but costs 20 ns a batch: BenchmarkSend/P=1/B=10.)
func (x *executor[T]) call(b *batch[T], items []T, fn processFunc[T]) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		err = ErrGoexit
		if r := recover(); r != nil {
			b.panics++
			err = &PanicError{Package: "batchchan", Name: x.cfg.Name, Func: "processor", Value: r, Stack: debug.Stack()}
		}
		if b.again == nil {
			b.again = &again[T]{rest: items}
		}
		b.again.lost = err
	}()
	switch {
	case x.cfg.RateLimit != nil:
		if err = x.cfg.RateLimit.Wait(x.ctx); err == nil {
			err = x.attemptTimed(items, fn)
		}
	case x.cfg.Timeout > 0:
		err = x.attemptTimed(items, fn)
	default:
		err = fn(x.ctx, items)
	}
	returned = true
	return err
}

// lost fails what is left of b if the goroutine that executed it has ended. It may be
// called in another one, or in a deferred function.
func (x *executor[T]) lost(b *batch[T]) {
	if a := b.again; a != nil && a.lost != nil {
		b.again = nil
		x.fail(b, a.rest, a.lost)
	}
}

func (x *executor[T]) attemptTimed(items []T, fn processFunc[T]) error {
	ctx := x.ctx
	if x.cfg.Timeout > 0 {
		timed, cancel := context.WithTimeout(ctx, x.cfg.Timeout)
		defer cancel()
		ctx = timed
	}
	return fn(ctx, items)
}

// fail books items of b that failed for good and hands them to OnError.
func (x *executor[T]) fail(b *batch[T], items []T, err error) {
	if b.wrap != nil {
		err = b.wrap(err)
	}
	b.failed += len(items)
	if !x.silent {
		x.failures.add(len(items), err)
	}
	x.report(err, items)
}

// report hands items that failed to OnError.
func (x *executor[T]) report(err error, items []T) {
	if x.cfg.OnError != nil {
		x.apart(func() { x.cfg.OnError(x.ctx, err, items) })
	}
}

// apart calls a function of the user in a goroutine of its own and waits for its end,
// however it ends. The worker, which is amid a batch, outlives a runtime.Goexit in it.
func (x *executor[T]) apart(f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer x.contain()
		f()
	}()
	<-over
}

// drop hands a dropped item to OnDrop.
func (x *executor[T]) drop(item T, why DropReason) {
	if x.cfg.OnDrop != nil {
		defer x.contain()
		x.cfg.OnDrop(item, why)
	}
}

// dropEach hands dropped items to OnDrop; the rest too, if OnDrop ends the goroutine.
func (x *executor[T]) dropEach(items []T, why DropReason) {
	for len(items) > 0 {
		item := items[0]
		items = items[1:]
		if len(items) == 0 {
			x.drop(item, why)
			return
		}
		func() {
			returned := false
			defer func() {
				if !returned {
					x.dropEach(items, why)
				}
			}()
			x.drop(item, why)
			returned = true
		}()
	}
}

// contain, deferred, recovers from the panic of a hook and counts it.
func (x *executor[T]) contain() {
	if r := recover(); r != nil {
		x.hookPanics.Add(1)
	}
}
