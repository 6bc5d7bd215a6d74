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
	f := k.flushLocked(&e)
	lost := k.tookBack
	k.unlock(&e)
	if f == nil {
		if lost {
			return ErrClosed
		}
		return k.failures.take()
	}
	return k.waitFor(ctx, f)
}

// flushLocked sets a barrier, or shares the last one if no batch was opened since.
// It returns nil if there is nothing to wait for. The keys do not become ready all
// at once: each worker that looks for a batch makes some of them ready (promoteLocked).
func (k *keyed[K, T]) flushLocked(e *effects[keyedItem[K, T]]) *barrier {
	if k.outstanding == 0 {
		return nil
	}
	k.hurryRetriesLocked(e)
	k.manualTo = k.opened
	k.promoteLocked(k.now(), e)
	f, _ := k.barriers.add(k.opened, k.outstanding)
	return f
}

// hurryRetriesLocked makes what is aside due.
func (k *keyed[K, T]) hurryRetriesLocked(e *effects[keyedItem[K, T]]) {
	if _, ok := k.later.next(); ok {
		k.later.hurry()
		k.crew.wake(&e.wakeUps)
	}
}

// beginClose refuses what comes from now on and makes everything that waits
// due.
func (k *keyed[K, T]) beginClose() {
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	if !k.closing {
		k.closing = true
	}
	for {
		for range step { // again if another call has not come to the end
			if !k.refuseLocked(&e) {
				break
			}
		}
		more := k.line.next(true) != nil
		k.promoteLocked(k.now(), &e)
		if !more {
			k.drainedLocked(&e)
		}
		k.unlock(&e)
		if !more {
			return
		}
		k.mu.lock()
	}
}

// refuseLocked ends the wait of one sender, and reports false if there is none.
func (k *keyed[K, T]) refuseLocked(e *effects[keyedItem[K, T]]) bool {
	s := k.line.next(true)
	if s == nil {
		return false
	}
	e.settle(k.line.pop(s), ErrClosed)
	if !s.busy() && !s.stopped && s.list == inNone {
		k.forgetLocked(s)
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
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	if k.finished {
		k.unlock(&e)
		<-k.done
		return nil, k.failures.take()
	}
	if k.pending > 0 {
		undelivered = make([]T, 0, k.pending)
	}
	for _, s := range k.keys.each() { // each that is forgotten moves another one in the table
		undelivered = k.takeBackLocked(undelivered, s)
	}
	k.n.undelivered += uint64(len(undelivered))
	if len(undelivered) > 0 {
		k.tookBack = true
		e.barriers = k.barriers.fail(ErrClosed, e.barriers)
	}
	running := k.inFlight
	k.drainedLocked(&e)
	k.unlock(&e)
	err = k.failures.or(k.cutShort(ctx, len(undelivered), running)) // what fails from now on is reported later
	k.cancel()
	k.mu.lock()
	k.hurryRetriesLocked(&e) // to fail
	k.unlock(&e)
	return undelivered, err
}

// takeBackLocked appends what waits of s, and forgets it.
func (k *keyed[K, T]) takeBackLocked(to []T, s *keyState[K, T]) []T {
	if s.segs.len() == 0 {
		return to
	}
	k.waits.remove(s)
	if s.list == inReady {
		k.ready.remove(s)
	}
	for _, seg := range s.segs.steal() {
		k.pendingSize -= seg.bytes
		k.outstanding--
	}
	items := s.buf.steal()
	k.pending -= len(items)
	to = append(to, items...)
	if !s.running {
		k.busyKeys--
		k.forgetLocked(s)
	}
	return to
}
