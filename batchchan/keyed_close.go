package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

func (k *keyed[K, T]) flush(ctx context.Context) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if k.inside(ctx) {
		return ErrInside
	}
	k.backOffs.hurry()
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	f := k.core.flush(&e)
	lost := k.core.tookBack
	k.unlock(&e)
	if f == nil {
		if lost {
			return ErrClosed
		}
		return k.failures.take()
	}
	return k.waitFor(ctx, f)
}

// flush sets a barrier, or shares the last one if no batch was opened since.
// It returns nil if there is nothing to wait for. The keys do not become ready all
// at once: each worker that looks for a batch makes some of them ready (promote).
func (c *keyedCore[K, T]) flush(e *effects[keyedItem[K, T]]) *barrier {
	if c.outstanding == 0 {
		return nil
	}
	c.hurryRetries(e)
	c.manualTo = c.opened
	c.promote(c.clock.now(), e)
	f, _ := c.barriers.add(c.opened, c.outstanding)
	return f
}

// hurryRetries makes what is aside due.
func (c *keyedCore[K, T]) hurryRetries(e *effects[keyedItem[K, T]]) {
	if _, ok := c.later.next(); ok {
		c.later.hurry()
		c.crew.wake(&e.wakeUps)
	}
}

// beginClose refuses what comes from now on and makes everything that waits
// due.
func (k *keyed[K, T]) beginClose() {
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	k.core.closing = true
	for {
		for range step { // again if another call has not come to the end
			if !k.core.refuse(&e) {
				break
			}
		}
		more := k.core.line.next(true) != nil
		k.core.promote(k.now(), &e)
		if !more {
			k.core.drained(&e)
		}
		k.unlock(&e)
		if !more {
			return
		}
		k.mu.lock()
	}
}

// refuse ends the wait of one sender, and reports false if there is none.
func (c *keyedCore[K, T]) refuse(e *effects[keyedItem[K, T]]) bool {
	s := c.line.next(true)
	if s == nil {
		return false
	}
	e.settle(c.line.pop(s), ErrClosed)
	if !s.busy() && !s.stopped && s.list == inNone {
		c.forget(s)
	}
	return true
}

func (k *keyed[K, T]) shutdown(ctx context.Context) (undelivered []T, err error) {
	notNil(ctx)
	if k.inside(ctx) {
		return nil, ErrInside
	}
	k.beginClose()
	if ctx.Err() == nil {
		select {
		case <-k.done:
			return nil, k.failures.take()
		case <-ctx.Done():
		}
	}
	cause := context.Cause(ctx) // before anything is taken back: it asks methods of the ctx
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	if k.core.finished {
		k.unlock(&e)
		<-k.done
		return nil, k.failures.take()
	}
	undelivered = k.core.takeBack(&e)
	running := k.core.inFlight
	k.unlock(&e)
	err = k.failures.or(k.cutShort(cause, len(undelivered), running)) // what fails from now on is reported later
	k.cancel()
	k.mu.lock()
	k.core.hurryRetries(&e) // to fail
	k.unlock(&e)
	return undelivered, err
}

// takeBack takes out what waits, key by key, and returns it.
func (c *keyedCore[K, T]) takeBack(e *effects[keyedItem[K, T]]) (undelivered []T) {
	if c.pending > 0 {
		undelivered = make([]T, 0, c.pending)
	}
	for _, s := range c.keys.each() { // each that is forgotten moves another one in the table
		undelivered = c.takeBackKey(undelivered, s)
	}
	c.n.undelivered += uint64(len(undelivered))
	if len(undelivered) > 0 {
		c.tookBack = true
		e.barriers = c.barriers.fail(ErrClosed, e.barriers)
	}
	c.drained(e)
	return undelivered
}

// takeBackKey appends what waits of s, and forgets it.
func (c *keyedCore[K, T]) takeBackKey(to []T, s *keyState[K, T]) []T {
	if s.segs.len() == 0 {
		return to
	}
	c.waits.remove(s)
	if s.list == inReady {
		c.ready.remove(s)
	}
	for _, seg := range s.segs.steal() {
		c.pendingSize -= seg.bytes
		c.outstanding--
	}
	items := s.buf.steal()
	c.pending -= len(items)
	to = append(to, items...)
	if !s.running {
		c.busyKeys--
		c.forget(s)
	}
	return to
}
