package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

func (k *keyed[K, T]) send(ctx context.Context, item T, d time.Duration) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	key, size, err := k.look(item)
	if err != nil {
		k.reject(1)
		return err
	}
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	return k.sendLocked(ctx, key, item, size, d, &e)
}

// look calls the user's functions on item, outside mu.
func (k *keyed[K, T]) look(item T) (key K, size int, err error) {
	key = k.key(item)
	if !k.checker.ok(key) {
		err = ErrBadKey
	} else if k.cfg.SizeOf != nil {
		size = max(k.cfg.SizeOf(item), 0)
		if k.cfg.MaxBytes > 0 && size > k.cfg.MaxBytes || k.cfg.MaxPendingBytes > 0 && size > k.cfg.MaxPendingBytes {
			err = ErrTooLarge
		}
	}
	return key, size, err
}

// reject counts items that were refused.
func (k *keyed[K, T]) reject(items int) {
	k.mu.lock()
	k.core.n.rejected += uint64(items)
	k.mu.unlock()
}

// sendLocked is entered with mu held and returns without.
func (k *keyed[K, T]) sendLocked(ctx context.Context, key K, item T, size int, d time.Duration, e *effects[keyedItem[K, T]]) error {
	inside := false
	for asked := false; ; asked = true {
		ok, err := k.core.trySend(key, item, size, e)
		if err != nil {
			k.core.n.rejected++
		}
		if err != nil || ok {
			k.unlock(e)
			return err
		}
		k.core.press(e)
		if asked || d == noWait || k.cfg.Overflow != Block {
			break
		}
		k.unlock(e) // while it asks a function of the user's, the ctx's Value
		inside = k.inside(ctx)
		k.mu.lock()
	}
	switch {
	case k.cfg.Overflow == DropNewest:
		k.core.n.direct++
		k.core.n.droppedNew++
		k.unlock(e)
		k.drop(item, DroppedNewest)
		return nil
	case k.cfg.Overflow == Reject || d == noWait || inside || !k.mayWait(k.core.line.len()):
		k.core.n.rejected++
		k.unlock(e)
		return ErrFull
	}
	return k.blockLocked(ctx, keyedItem[K, T]{key: key, item: item, size: size}, d, e)
}

// trySend accepts the item if there is room for it and nobody who could go
// on waits for that room.
func (c *keyedCore[K, T]) trySend(key K, item T, size int, e *effects[keyedItem[K, T]]) (ok bool, err error) {
	if c.closing {
		return false, ErrClosed
	}
	s := c.keys.get(key)
	if s != nil && s.stopped {
		return false, ErrStopped
	}
	if !c.room(size, s == nil || !s.busy()) || c.nextSender() != nil {
		return false, nil
	}
	if s == nil {
		s = c.state(key)
	}
	c.add(s, item, size, e)
	return true, nil
}

// sendMany accepts items in order, as many as it can, and returns how many. The others
// count as rejected, unless ctx was done beforehand.
func (k *keyed[K, T]) sendMany(ctx context.Context, items []T) (int, error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return 0, ctxerr.From(ctx)
	}
	type looked struct {
		key  K
		size int
	}
	var ready [step]looked
	for n := 0; n < len(items); {
		// The user's functions are called outside mu, for a step of items.
		m, bad := 0, error(nil)
		for ; m < min(step, len(items)-n); m++ {
			var err error
			if ready[m].key, ready[m].size, err = k.look(items[n+m]); err != nil {
				bad = err
				break
			}
		}
		for i := 0; i < m; {
			if err := ctxerr.From(ctx); err != nil {
				k.reject(len(items) - n - i)
				return n + i, err
			}
			var e effects[keyedItem[K, T]]
			k.mu.lock()
			for ok := true; ok && i < m; {
				if ok, _ = k.core.trySend(ready[i].key, items[n+i], ready[i].size, &e); ok {
					i++
				}
			}
			if i == m {
				k.unlock(&e)
				break
			}
			if err := k.sendLocked(ctx, ready[i].key, items[n+i], ready[i].size, forever, &e); err != nil {
				k.reject(len(items) - n - i - 1) // that one was counted
				return n + i, err
			}
			i++
		}
		if n += m; bad != nil {
			k.reject(len(items) - n)
			return n, bad
		}
	}
	return len(items), nil
}

// blockLocked waits until it is accepted, ctx is done, or d, if not negative, has
// passed. It is entered with mu held and returns without.
func (k *keyed[K, T]) blockLocked(ctx context.Context, it keyedItem[K, T], d time.Duration, e *effects[keyedItem[K, T]]) error {
	s := k.core.state(it.key)
	it.s = s
	w := k.freeWait.get(it, it.size)
	k.core.n.blocked++
	k.core.line.add(s, w)
	start := k.now()
	k.unlock(e)
	err := w.wait(ctx, d)
	k.mu.lock()
	switch {
	case err == nil:
	case w.queued():
		k.core.leave(w, e)
		w.err = err
	default: // the outcome came first: it counts
		k.mu.unlock()
		<-w.ch
		k.mu.lock()
	}
	k.core.n.blockedTime += k.now() - start
	if err = w.err; err != nil {
		k.core.n.rejected++
	}
	k.unlock(e)
	k.freeWait.put(w)
	return why(ctx, err)
}

// leave takes out a sender whose time is over.
func (c *keyedCore[K, T]) leave(w *waiter[keyedItem[K, T]], e *effects[keyedItem[K, T]]) {
	s := w.one[0].s
	c.line.remove(s, w)
	if !s.busy() && !s.stopped && s.list == inNone {
		c.forget(s)
	}
	c.admit(e) // the next may be smaller
}

// nextSender returns the key of the first sender that could go on if there were
// room for its item, or nil.
func (c *keyedCore[K, T]) nextSender() *keyState[K, T] { return c.line.next(c.keyRoom()) }

// admit accepts the items of the senders that there is room for now, first
// come, first served. Where senders still wait, nothing is due and a worker is free,
// the oldest batch becomes due.
func (c *keyedCore[K, T]) admit(e *effects[keyedItem[K, T]]) {
	for s := c.nextSender(); s != nil; s = c.nextSender() {
		it := s.waiters.first().one[0]
		if !c.room(it.size, !s.busy()) {
			break
		}
		e.settle(c.line.pop(s), nil)
		c.add(s, it.item, it.size, e)
	}
	if c.line.len() > 0 && c.crew.ready() {
		c.press(e)
	}
}
