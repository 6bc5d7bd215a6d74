package batchchan

import (
	"math/rand/v2"
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// Retry describes how a failed batch is tried again: after Backoff, then twice
// that, and so on up to MaxBackoff. Each wait is shortened at random by up to half,
// so that many clients do not come back at the same moment. An error may ask for a
// longer wait, see [RetryAfter]. A Flush ends the waits that are under way when it
// begins: the next attempt comes at once. A Shutdown that gives up ends them too: the
// batch then fails.
type Retry struct {
	// MaxAttempts bounds the attempts with one batch. 0 and 1 mean that a failed
	// batch is not tried again.
	MaxAttempts int
	// Backoff is the wait before the second attempt. Default 100 ms.
	Backoff time.Duration
	// MaxBackoff bounds the wait. Default 30 s.
	MaxBackoff time.Duration
	// NoJitter waits for exactly the computed time.
	NoJitter bool
	// Retryable says whether an error is worth another attempt. nil means all
	// errors but panics. It is not asked about an [ItemErrors], which says so itself.
	Retryable func(error) bool

	// MaxAside is how many batches may wait for their next attempt aside, without
	// a worker: that goes on with other batches. Order is then lost, except that
	// of each key in a [Keyed], where only the key of such a batch waits. If that
	// many are aside, the next one that fails holds its worker. Default 0: the
	// worker always waits. A [Pipe] does not support it.
	MaxAside int

	// Split halves a batch that failed as a whole and is not tried again as a
	// whole, because Retryable forbids it or the attempts are used up. Each half is
	// given to the processor at once, and halved again if it fails, down to single
	// items: only items that fail alone fail. One bad item among n costs about
	// 2*log2(n) calls. Let Retryable return true for errors that no item is to
	// blame for, or an outage is split as well.
	Split bool
	// MaxCalls bounds the calls of the processor for one batch, attempts and
	// halves together. What is not settled then fails with the error of the last
	// call that it was part of. Default 64, or MaxAttempts if that is more.
	MaxCalls int
}

// again is what a batch that failed, wholly or in part, carries from one attempt
// to the next.
type again[T any] struct {
	rest    []T           // the items that are neither done nor failed for good, in order
	errs    []error       // why each of rest failed last, where the processor said so
	err     error         // what the processor returned last
	attempt int           // attempts made
	calls   int           // calls of the processor made, halves included
	wait    time.Duration // positive: aside, until the next attempt
	lost    error         // why rest failed, if the goroutine that called the processor has ended
}

// resume makes the next attempt with a batch that was aside.
func (x *executor[T]) resume(b *batch[T], fn processFunc[T]) {
	b.again.wait = 0
	if x.ctx.Err() != nil {
		x.giveUp(b)
		return
	}
	if x.next(b, fn) {
		x.settle(b, fn)
	}
}

// next makes the next attempt. It reports false if nothing failed.
func (x *executor[T]) next(b *batch[T], fn processFunc[T]) bool {
	a := b.again
	a.attempt++
	a.calls++
	b.retries++
	if a.err = x.attempt(b, a.rest, fn); a.err == nil {
		b.again = nil
		return false
	}
	return true
}

// settle follows an attempt that returned an error: it fails what has failed for
// good and tries the rest again, until nothing is left or b is to go aside.
func (x *executor[T]) settle(b *batch[T], fn processFunc[T]) {
	a := b.again
	for {
		failed, whole, parts := x.itemErrors(a.err, len(a.rest))
		switch {
		case whole != nil: // no use in trying again
			a.errs, a.err = nil, whole
			x.giveUp(b)
			return
		case parts:
			if x.keepRetryable(b, failed, a.attempt < x.cfg.Retry.MaxAttempts); len(a.rest) == 0 {
				b.again = nil
				return
			}
		default:
			if a.errs = nil; a.attempt >= x.cfg.Retry.MaxAttempts || !x.retryable(a.err) {
				x.split(b, fn)
				return
			}
		}
		d := x.wait(a)
		if x.ctx.Err() == nil && x.aside != nil && x.aside.reserve() {
			a.wait = max(d, 1)
			return
		}
		if !x.backOffs.wait(x.ctx, d) {
			x.giveUp(b)
			return
		}
		if !x.next(b, fn) {
			return
		}
	}
}

// giveUp fails what is left of b.
func (x *executor[T]) giveUp(b *batch[T]) {
	a := b.again
	b.again = nil
	if a.errs == nil {
		x.fail(b, a.rest, a.err)
		return
	}
	for i, err := range a.errs {
		x.fail(b, a.rest[i:i+1:i+1], err)
	}
}

// keepRetryable leaves in b.again.rest the items that failed and may be tried
// again. The others are done, or fail here.
func (x *executor[T]) keepRetryable(b *batch[T], failed []itemError, mayRetry bool) {
	a := b.again
	rest := a.rest[:0]
	if x.cfg.DetachBatches { // the processor may have kept the slice
		rest = nil
	}
	a.errs = nil
	for _, f := range failed {
		if !f.retry || !mayRetry {
			x.fail(b, a.rest[f.index:f.index+1:f.index+1], f.err)
			continue
		}
		rest = append(rest, a.rest[f.index])
		a.errs = append(a.errs, f.err)
	}
	a.rest = rest
}

// backOff returns how long to wait after that many attempts.
func (x *executor[T]) backOff(attempts int) time.Duration {
	r := &x.cfg.Retry
	d := r.MaxBackoff
	if shift := attempts - 1; r.Backoff <= r.MaxBackoff>>shift { // else it would be more, or overflow
		d = r.Backoff << shift
	}
	if !r.NoJitter && d > 1 {
		d -= rand.N(d/2 + 1)
	}
	return d
}

// wait returns how long to wait before the next attempt: the back-off, or what the
// errors ask for, if that is longer.
func (x *executor[T]) wait(a *again[T]) time.Duration {
	return max(x.backOff(a.attempt), min(x.asked(a.err, a.errs), x.cfg.Retry.MaxBackoff))
}

// nextAttempt returns when b, which goes aside now, is to be tried again: at once after a
// Shutdown that gave up, to fail.
func (x *executor[T]) nextAttempt(b *batch[T], now time.Duration) time.Duration {
	if x.ctx.Err() != nil {
		return now
	}
	return duration.Add(now, b.again.wait)
}

func (x *executor[T]) retryable(err error) (ok bool) {
	if f := x.cfg.Retry.Retryable; f != nil {
		x.apart(func() { ok = f(err) })
		return ok
	}
	_, panicked := asError[*PanicError](x, err)
	return !panicked
}

// split fails what is left of b, which failed as a whole and is not to be tried
// again as a whole. With Retry.Split it first halves it until those stand alone
// that fail alone.
func (x *executor[T]) split(b *batch[T], fn processFunc[T]) {
	a := b.again
	if x.cfg.Retry.Split {
		x.halve(b, len(a.rest), a.err, fn)
	}
	if len(a.rest) > 0 {
		x.giveUp(b)
	}
	b.again = nil
}

// halve gives the first n items of b.again.rest, which failed together with err,
// to the processor in two halves, the older one first, and so on with those that
// fail. On return they are no longer in rest.
func (x *executor[T]) halve(b *batch[T], n int, err error, fn processFunc[T]) {
	a := b.again
	if n == 1 {
		x.failFirst(b, 1, err)
		return
	}
	for _, m := range []int{n / 2, n - n/2} {
		if a.calls >= x.cfg.Retry.MaxCalls || x.ctx.Err() != nil {
			x.failFirst(b, m, err)
			continue
		}
		a.calls++
		b.retries++
		half := x.attempt(b, a.rest[:m:m], fn)
		if half == nil {
			a.rest = a.rest[m:]
			continue
		}
		failed, whole, parts := x.itemErrors(half, m)
		switch {
		case whole != nil:
			x.failFirst(b, m, whole)
		case parts:
			for _, f := range failed {
				x.fail(b, a.rest[f.index:f.index+1:f.index+1], f.err)
			}
			a.rest = a.rest[m:]
		default:
			x.halve(b, m, half, fn)
		}
	}
}

// failFirst fails the first n items of b.again.rest.
func (x *executor[T]) failFirst(b *batch[T], n int, err error) {
	items := b.again.rest[:n:n]
	b.again.rest = b.again.rest[n:]
	x.fail(b, items, err)
}

func (r *Retry) setDefaults() {
	if r.Backoff == 0 {
		r.Backoff = 100 * time.Millisecond
	}
	if r.MaxBackoff == 0 {
		r.MaxBackoff = 30 * time.Second
	}
	if r.MaxCalls == 0 {
		r.MaxCalls = max(64, r.MaxAttempts)
	}
}
