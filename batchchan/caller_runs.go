package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// callerRunsLocked processes the oldest waiting batch in the sender of an item of
// that size. It is
// entered and left with mu held, unless it returns an error. ctx and the deadline,
// if it is not 0, are looked at when the batch has been processed.
func (c *core[T]) callerRunsLocked(ctx context.Context, size int, deadline time.Duration, e *effects[T]) error {
	if c.helper != nil {
		return c.helperRunsLocked(ctx, size, deadline, e)
	}
	now := c.now()
	b := c.takeLocked(now, e)
	if b == nil { // cannot be while it is full; do not spin on it
		return c.rejectLocked(ErrFull, e)
	}
	c.unlock(e)
	c.begin(&b.span, b.firstAt, now)
	err := ErrGoexit // what the processor may do instead of returning
	defer func() {
		c.processed(b, e)
		if err != nil {
			c.n.rejected++
			c.unlock(e)
		}
	}()
	c.process(b)
	switch err = nil; {
	case ctx.Err() != nil:
		err = ctxerr.From(ctx)
	case deadline > 0 && c.now() >= deadline:
		err = ErrTimeout
	}
	return err
}

// processed books what the processor made of b, in a goroutine that is not a
// worker. It returns with mu held.
func (c *core[T]) processed(b *batch[T], e *effects[T]) {
	c.lost(b)
	now := c.now()
	if b.again != nil {
		c.mu.lock()
		c.asideLocked(b, now, e)
		return
	}
	c.finish(b, now)
	c.mu.lock()
	c.completeLocked(b, e)
	c.endLocked(e)
}

// helperRunsLocked is callerRunsLocked where what follows the processor can take
// for ever (a Pipe's results may find no room): a goroutine does both in the
// sender's place, one at a time, and the sender waits for no more than the
// processor, nor beyond its ctx and deadline.
func (c *core[T]) helperRunsLocked(ctx context.Context, size int, deadline time.Duration, e *effects[T]) error {
	c.unlock(e)
	var timeout <-chan time.Time
	if deadline > 0 {
		timer := time.NewTimer(deadline - c.now())
		defer timer.Stop()
		timeout = timer.C
	}
	err := waitHelper(ctx, timeout, c.helper, c.done)
	c.mu.lock()
	if err != nil {
		return c.rejectLocked(err, e)
	}
	if c.closing || !c.waiters.any() && c.fitsLocked(1, size) {
		if !c.finished { // else the token may be another's
			<-c.helper
		}
		return nil
	}
	now := c.now()
	b := c.takeLocked(now, e)
	if b == nil { // what is full is in the hands of others
		<-c.helper
		return c.rejectLocked(ErrFull, e)
	}
	ran := make(chan struct{})
	b.ran = ran
	c.unlock(e)
	go c.help(b, now)
	err = waitHelper(ctx, timeout, nil, ran)
	c.mu.lock()
	if err != nil {
		return c.rejectLocked(err, e)
	}
	return nil
}

// waitHelper waits for the token, the end of something, or the sender's own.
func waitHelper(ctx context.Context, timeout <-chan time.Time, token chan<- struct{}, end <-chan struct{}) error {
	select {
	case token <- struct{}{}:
	case <-end:
	case <-ctx.Done():
		return ctxerr.From(ctx)
	case <-timeout:
		return ErrTimeout
	}
	return nil
}

// help processes b in a goroutine of its own.
func (c *core[T]) help(b *batch[T], now time.Duration) {
	ran := b.ran
	defer func() {
		var e effects[T]
		b.ran = nil
		c.processed(b, &e)
		c.unlock(&e)
		select {
		case <-ran:
		default:
			close(ran) // the processor called runtime.Goexit
		}
		<-c.helper
	}()
	c.label()
	c.begin(&b.span, b.firstAt, now)
	c.process(b)
}
