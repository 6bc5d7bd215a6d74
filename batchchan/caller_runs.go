package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// callerRunsLocked processes the oldest waiting batch in the sender of an item of that
// size. It is entered and left with mu held, unless it returns an error. ctx and the
// deadline, if it is not 0, are looked at when the batch has been processed.
func (g *engine[T]) callerRunsLocked(ctx context.Context, size int, deadline time.Duration, e *effects[T]) error {
	if g.helper != nil {
		return g.helperRunsLocked(ctx, size, deadline, e)
	}
	now := g.now()
	b := g.core.take(now, e)
	if b == nil { // cannot be while it is full; do not spin on it
		return g.rejectLocked(ErrFull, e)
	}
	g.unlock(e)
	g.begin(&b.span, b.firstAt, now)
	err := ErrGoexit // what the processor, or the ctx, may do instead of returning
	defer func() {
		g.processed(b, e)
		if err != nil {
			g.core.n.rejected++
			g.unlock(e)
		}
	}()
	g.process(b)
	err = g.gaveUp(ctx, deadline)
	return err
}

// gaveUp returns why a sender does not go on after a batch, or nil: its ctx has ended, or
// its deadline, if it is not 0, has passed.
func (g *engine[T]) gaveUp(ctx context.Context, deadline time.Duration) error {
	if ended := ctxerr.From(ctx); ended != nil {
		return ended
	}
	if deadline > 0 && g.now() >= deadline {
		return ErrTimeout
	}
	return nil
}

// processed books what the processor made of b, in a goroutine that is not a
// worker. It returns with mu held.
func (g *engine[T]) processed(b *batch[T], e *effects[T]) {
	g.lost(b)
	now := g.now()
	if b.again != nil {
		g.mu.lock()
		g.setAsideLocked(b, now, e)
		return
	}
	g.finish(b, now)
	g.mu.lock()
	g.core.complete(b, e)
	g.core.end(e)
}

// helperRunsLocked is callerRunsLocked where what follows the processor can take
// for ever (a Pipe's results may find no room): a goroutine does both in the
// sender's place, one at a time, and the sender waits for no more than the
// processor, nor beyond its ctx and deadline.
func (g *engine[T]) helperRunsLocked(ctx context.Context, size int, deadline time.Duration, e *effects[T]) error {
	g.unlock(e)
	var timeout <-chan time.Time
	if deadline > 0 {
		timer := time.NewTimer(deadline - g.now())
		defer timer.Stop()
		timeout = timer.C
	}
	if err := g.waitHelper(ctx, deadline, timeout, g.helper, g.done, e); err != nil {
		return err
	}
	if g.core.closing || !g.core.waiters.any() && g.core.fits(1, size) {
		if !g.core.finished { // else the token may be another's
			<-g.helper
		}
		return nil
	}
	now := g.now()
	b := g.core.take(now, e)
	if b == nil { // what is full is in the hands of others
		<-g.helper
		return g.rejectLocked(ErrFull, e)
	}
	ran := make(chan struct{})
	b.ran = ran
	g.unlock(e)
	go g.help(b, now)
	return g.waitHelper(ctx, deadline, timeout, nil, ran, e)
}

// waitHelper waits for the token, the end of something, or the sender's own. It is entered
// without mu, and left as callerRunsLocked is.
func (g *engine[T]) waitHelper(ctx context.Context, deadline time.Duration, timeout <-chan time.Time, token chan<- struct{}, end <-chan struct{}, e *effects[T]) (err error) {
	err = ErrGoexit // what the ctx may do instead of returning
	defer func() {
		g.mu.lock()
		if err != nil {
			err = g.rejectLocked(err, e)
		}
	}()
	select {
	case token <- struct{}{}:
		return nil
	case <-end:
	case <-ctx.Done():
	case <-timeout:
	}
	// Both may have ended, of which select chooses any: the sender's own end counts.
	return g.gaveUp(ctx, deadline)
}

// help processes b in a goroutine of its own.
func (g *engine[T]) help(b *batch[T], now time.Duration) {
	ran := b.ran
	defer func() {
		var e effects[T]
		b.ran = nil
		g.processed(b, &e)
		g.unlock(&e)
		select {
		case <-ran:
		default:
			close(ran) // the processor called runtime.Goexit
		}
		<-g.helper
	}()
	g.label()
	g.begin(&b.span, b.firstAt, now)
	g.process(b)
}
