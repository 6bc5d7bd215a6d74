package batchchan

import (
	"context"
	"time"
)

// keyWork is the batch that a worker is at.
type keyWork[K comparable, T any] struct {
	s *keyState[K, T]
	batch[T]
}

// work is a worker's life; see core.workFrom.
func (k *keyed[K, T]) work(w *keyWork[K, T]) {
	over := false
	defer func() {
		if !over {
			go k.work(w)
		}
	}()
	if w == nil {
		w = new(keyWork[K, T])
	}
	t := &taker{signal: newSignal()}
	call := func(ctx context.Context, b *batch[T]) error { return k.fn(ctx, w.s.key, b.items) }
	for k.next(w, t) {
		k.execute(&w.batch, call)
	}
	over = true
}

// next completes w's batch, if there is one, and puts the next one in w, waiting
// for it. It returns false when the worker must end.
func (k *keyed[K, T]) next(w *keyWork[K, T], t *taker) bool {
	var e effects[keyedItem[K, T]]
	now := k.now()
	if w.s != nil {
		k.proc.Record(now - w.startAt)
	}
	k.mu.lock()
	if w.s != nil {
		k.completeLocked(w, &e)
	}
	clear(w.items)
	w.batch = batch[T]{items: w.items[:0]}
	if k.cfg.DetachBatches {
		w.items = nil
	}
	for k.ready.head == nil {
		if k.closing && k.pending == 0 {
			k.workers--
			k.endLocked(&e)
			k.unlock(&e)
			return false
		}
		t.arm()
		k.idle = append(k.idle, t)
		k.unlock(&e)
		t.wait()
		now = k.now()
		k.mu.lock()
	}
	s := k.ready.head
	k.ready.remove(s)
	w.s, s.running = s, true
	w.reason, _ = k.dueLocked(s, now)
	w.firstAt, w.startAt = s.marks[0], now
	n := min(s.waiting(), k.cfg.MaxBatch)
	w.items = append(w.items, s.buf[s.off:s.off+n]...)
	clear(s.buf[s.off : s.off+n])
	if s.off += n; s.off == len(s.buf) {
		s.buf, s.off = s.buf[:0], 0
		s.manual = false
	}
	s.marks = append(s.marks[:0], s.marks[1:]...)
	s.from += uint64(n)
	k.pending -= n
	k.inFlight += n
	k.n.delivered += uint64(n)
	k.n.batches++
	k.n.reasons[w.reason]++
	k.admitLocked(&e)
	k.unlock(&e)
	k.age.Record(now - w.firstAt)
	return true
}

func (k *keyed[K, T]) completeLocked(w *keyWork[K, T], e *effects[keyedItem[K, T]]) {
	s, n := w.s, len(w.items)
	w.s = nil
	k.inFlight -= n
	k.n.ended(n, w.failed, w.retries, w.panics)
	s.running = false
	kept := s.flushes[:0]
	for _, m := range s.flushes {
		if s.from < m.at {
			kept = append(kept, m)
			continue
		}
		if m.f.left--; m.f.left == 0 {
			m.f.next = e.flushes
			e.flushes = m.f
		}
	}
	clear(s.flushes[len(kept):])
	s.flushes = kept
	k.placeLocked(s, e)
	k.admitLocked(e) // a key may have become idle
	if k.closing && k.pending == 0 {
		for len(k.idle) > 0 {
			k.wakeLocked(e)
		}
	}
}

// endLocked closes done when k is closed and nothing is left to do.
func (k *keyed[K, T]) endLocked(e *effects[keyedItem[K, T]]) {
	if k.closing && !k.finished && k.workers == 0 && k.inFlight == 0 && k.pending == 0 {
		k.finished = true
		if k.timer != nil {
			k.timer.Stop()
		}
		e.end = true
	}
}

func (k *keyed[K, T]) send(ctx context.Context, item T, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key := k.key(item)
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	switch {
	case k.closing:
		k.n.rejected++
		k.unlock(&e)
		return ErrClosed
	case k.waiters.head == nil && k.roomLocked(key):
		k.addLocked(key, item, &e)
		k.unlock(&e)
		return nil
	case k.cfg.Overflow == DropNewest:
		k.n.direct++
		k.n.droppedNew++
		k.unlock(&e)
		k.drop(item, DroppedNewest)
		return nil
	case k.cfg.Overflow == Reject || d == noWait || k.inside(ctx):
		k.n.rejected++
		k.unlock(&e)
		return ErrFull
	}
	w := k.freeWait.Get().(*waiter[keyedItem[K, T]])
	w.one[0] = keyedItem[K, T]{key, item}
	w.items, w.err = w.one[:], nil
	w.arm()
	k.n.blocked++
	k.waiters.push(w)
	k.admitLocked(&e) // only those before it may be in want of a key
	start := k.now()
	k.unlock(&e)
	err := w.wait(ctx, d)
	k.mu.lock()
	if err != nil && w.queued {
		k.waiters.remove(w)
		w.err = err
	} else if err != nil {
		k.mu.unlock()
		<-w.ch // the outcome came first: it counts
		k.mu.lock()
	}
	k.n.blockedTime += k.now() - start
	if err = w.err; err != nil {
		k.n.rejected++
	}
	k.unlock(&e)
	clear(w.one[:])
	w.items = nil
	k.freeWait.Put(w)
	return err
}

// admitLocked accepts the blocked senders' items that there is room for now.
// A sender whose key alone is in the way does not hold up those behind it.
func (k *keyed[K, T]) admitLocked(e *effects[keyedItem[K, T]]) {
	for w := k.waiters.head; w != nil && k.pending < k.cfg.MaxPending; {
		next := w.next
		if it := w.one[0]; k.roomLocked(it.key) {
			k.addLocked(it.key, it.item, e)
			k.waiters.settle(w, nil, e)
		}
		w = next
	}
}

func (k *keyed[K, T]) stats() KeyedStats {
	k.mu.lock()
	n := k.n
	s := KeyedStats{Keys: k.busyKeys, IdleKeys: k.idleKeys.n}
	s.Pending, s.InFlight, s.Waiting = k.pending, k.inFlight, k.waiters.n
	s.Accepted = k.accepted + n.direct
	s.Uptime = k.now()
	k.mu.unlock()
	s.fill(&n, k.cfg.Name, k.hookPanics.Load(), k.cfg.MaxBatch)
	s.Age, s.Processing = k.age.Latency(), k.proc.Latency()
	return s
}
