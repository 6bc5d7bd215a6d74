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
	k.n.rejected += uint64(items)
	k.mu.unlock()
}

// sendLocked is entered with mu held and returns without.
func (k *keyed[K, T]) sendLocked(ctx context.Context, key K, item T, size int, d time.Duration, e *effects[keyedItem[K, T]]) error {
	switch ok, err := k.trySendLocked(key, item, size, e); {
	case err != nil:
		k.n.rejected++
		k.unlock(e)
		return err
	case ok:
		k.unlock(e)
		return nil
	}
	k.pressLocked(e)
	switch {
	case k.cfg.Overflow == DropNewest:
		k.n.direct++
		k.n.droppedNew++
		k.unlock(e)
		k.drop(item, DroppedNewest)
		return nil
	case k.cfg.Overflow == Reject || d == noWait || k.inside(ctx) || !k.mayWait(k.line.len()):
		k.n.rejected++
		k.unlock(e)
		return ErrFull
	}
	return k.blockLocked(ctx, keyedItem[K, T]{key: key, item: item, size: size}, d, e)
}

// trySendLocked accepts the item if there is room for it and nobody who could go
// on waits for that room.
func (k *keyed[K, T]) trySendLocked(key K, item T, size int, e *effects[keyedItem[K, T]]) (ok bool, err error) {
	if k.closing {
		return false, ErrClosed
	}
	s := k.keys.get(key)
	if s != nil && s.stopped {
		return false, ErrStopped
	}
	if !k.roomLocked(size, s == nil || !s.busy()) || k.nextLocked() != nil {
		return false, nil
	}
	if s == nil {
		s = k.stateLocked(key)
	}
	k.addLocked(s, item, size, e)
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
				if ok, _ = k.trySendLocked(ready[i].key, items[n+i], ready[i].size, &e); ok {
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
	s := k.stateLocked(it.key)
	it.s = s
	w := k.freeWait.get(it, it.size)
	k.n.blocked++
	k.line.add(s, w)
	start := k.now()
	k.unlock(e)
	err := w.wait(ctx, d)
	k.mu.lock()
	switch {
	case err == nil:
	case w.queued():
		k.leaveLocked(w, e)
		w.err = err
	default: // the outcome came first: it counts
		k.mu.unlock()
		<-w.ch
		k.mu.lock()
	}
	k.n.blockedTime += k.now() - start
	if err = w.err; err != nil {
		k.n.rejected++
	}
	k.unlock(e)
	k.freeWait.put(w)
	return err
}

// leaveLocked takes out a sender whose time is over.
func (k *keyed[K, T]) leaveLocked(w *waiter[keyedItem[K, T]], e *effects[keyedItem[K, T]]) {
	s := w.one[0].s
	k.line.remove(s, w)
	if !s.busy() && !s.stopped && s.list == inNone {
		k.forgetLocked(s)
	}
	k.admitLocked(e) // the next may be smaller
}

// nextLocked returns the key of the first sender that could go on if there were
// room for its item, or nil.
func (k *keyed[K, T]) nextLocked() *keyState[K, T] { return k.line.next(k.keyRoomLocked()) }

// admitLocked accepts the items of the senders that there is room for now, first
// come, first served. Where senders still wait, nothing is due and a worker is free,
// the oldest batch becomes due.
func (k *keyed[K, T]) admitLocked(e *effects[keyedItem[K, T]]) {
	for s := k.nextLocked(); s != nil; s = k.nextLocked() {
		it := s.waiters.first().one[0]
		if !k.roomLocked(it.size, !s.busy()) {
			break
		}
		e.settle(k.line.pop(s), nil)
		k.addLocked(s, it.item, it.size, e)
	}
	if k.line.len() > 0 && k.crew.ready() {
		k.pressLocked(e)
	}
}
