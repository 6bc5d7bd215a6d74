package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// flushWait is a barrier: the batches numbered up to target that are not
// completed. Callers of Flush between two cuts share one.
type flushWait struct {
	target uint64
	left   int
	done   chan struct{}
	err    error
	next   *flushWait // in effects
}

// flush makes what is open due and waits until everything accepted before is
// completed.
func (c *core[T]) flush(ctx context.Context) error {
	ctxerr.NotNil(ctx, "batchchan")
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if c.inside(ctx) {
		return ErrInside
	}
	c.backOffs.hurry()
	var e effects[T]
	c.mu.lock()
	c.collectLocked(&e)
	c.hurryRetriesLocked(&e)
	left, target := c.outstanding, c.bufSeq-1
	if len(c.buf) > 0 {
		n := max(len(c.marks), 1) // batches in buf
		left += n
		target += uint64(n)
		if c.manualTo < target {
			c.manualTo = target
			c.wakeLocked(&e)
		}
	}
	if left == 0 {
		lost := c.n.undelivered > 0
		c.unlock(&e)
		if lost {
			return ErrClosed
		}
		return c.failures.take()
	}
	var f *flushWait
	if n := len(c.flushes); n > 0 && c.flushes[n-1].target == target {
		f = c.flushes[n-1]
	} else {
		f = &flushWait{target: target, left: left, done: make(chan struct{})}
		c.flushes = append(c.flushes, f)
		c.hurryLocked(&e)
	}
	c.unlock(&e)
	select {
	case <-f.done:
		if f.err != nil {
			return f.err
		}
		return c.failures.take()
	case <-ctx.Done():
		return ctxerr.From(ctx)
	}
}

// passLocked tells the barriers that the batch numbered seq is completed.
func (c *core[T]) passLocked(seq uint64, e *effects[T]) {
	if len(c.flushes) == 0 {
		return
	}
	kept := c.flushes[:0]
	for _, f := range c.flushes {
		if seq <= f.target {
			f.left--
		}
		if f.left > 0 {
			kept = append(kept, f)
			continue
		}
		f.next = e.flushes
		e.flushes = f
	}
	clear(c.flushes[len(kept):])
	c.flushes = kept
}

// failFlushesLocked ends all barriers because Shutdown took the items back.
func (c *core[T]) failFlushesLocked(e *effects[T]) {
	for _, f := range c.flushes {
		f.err = ErrClosed
		f.next = e.flushes
		e.flushes = f
	}
	clear(c.flushes)
	c.flushes = c.flushes[:0]
}
