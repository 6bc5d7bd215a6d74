package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// keyWork is a batch that a worker is at, or that is aside.
type keyWork[K comparable, T any] struct {
	s    *keyState[K, T] // nil: no batch
	seq  uint64          // its segment's
	call processFunc[T]
	batch[T]

	cause error // why items failed last

	// What waited of a key that this batch has stopped.
	rest     []T
	restSegs []segment
}

// work is a worker's life; see core.workFrom.
func (k *keyed[K, T]) work(w *keyWork[K, T]) {
	over := false
	defer func() {
		if !over {
			go k.work(w)
		}
	}()
	k.label()
	if w == nil {
		w = k.newWork()
	}
	t := &taker{signal: newSignal()}
	for {
		if w.s != nil {
			k.executed(w)
		}
		if w = k.next(w, t); w == nil {
			break
		}
		k.execute(&w.batch, w.call)
	}
	over = true
}

// executed follows the execution of w's batch, however it ended.
func (k *keyed[K, T]) executed(w *keyWork[K, T]) {
	k.lost(&w.batch)
	if k.stop && w.failed > 0 && w.again == nil {
		k.stopKey(w)
	}
}

func (k *keyed[K, T]) newWork() *keyWork[K, T] {
	w := new(keyWork[K, T])
	w.call = func(ctx context.Context, items []T) error { return k.fn(ctx, w.s.key, items) }
	w.wrap = func(err error) error {
		w.cause = err
		return &KeyError[K]{k.cfg.Name, w.s.key, err}
	}
	return w
}

// next completes w's batch, if there is one, and returns w with the next one in
// it, or another keyWork if w is aside. It waits for a batch, and returns nil when
// the worker must end.
func (k *keyed[K, T]) next(w *keyWork[K, T], t *taker) *keyWork[K, T] {
	var e effects[keyedItem[K, T]]
	now := k.now()
	away := w.s != nil && w.again != nil
	if w.s != nil && !away {
		k.end(&w.span, now, nil)
	}
	k.mu.lock()
	switch {
	case away:
		k.asideLocked(w, now, &e)
		w = k.newWork()
	case w.s != nil:
		k.completeLocked(w, &e)
	}
	for {
		if r := k.takeRetryLocked(now, &e); r != nil {
			k.unlock(&e)
			return r
		}
		k.promoteLocked(now, &e)
		if k.line.len() > 0 {
			k.pressLocked(&e)
		}
		if k.ready.len() > 0 {
			break
		}
		if k.closing && k.pending == 0 {
			k.crew.leave()
			k.endLocked(&e)
			k.unlock(&e)
			return nil
		}
		t.arm()
		k.crew.park(t)
		k.unlock(&e)
		t.wait()
		now = k.now()
		k.mu.lock()
	}
	k.takeLocked(w, now)
	k.admitLocked(&e)
	k.unlock(&e)
	k.begin(&w.span, w.firstAt, now)
	return w
}

// takeLocked puts the first batch of the first key that is ready in w.
func (k *keyed[K, T]) takeLocked(w *keyWork[K, T], now time.Duration) {
	s := k.ready.first()
	reason, _ := k.dueLocked(s, now)
	k.ready.remove(s)
	seg := *s.segs.front()
	s.segs.drop()
	s.running = true
	w.s, w.seq = s, seg.seq
	w.reason, w.firstAt = reason, seg.at
	w.items = s.buf.pop(seg.n, w.items)
	k.pending -= seg.n
	k.pendingSize -= seg.bytes
	k.inFlight += seg.n
	k.inFlightB++
	k.n.delivered += uint64(seg.n)
	k.n.batches++
	k.n.reasons[reason]++
}

// asideLocked puts w aside, for which the executor has reserved a place.
func (k *keyed[K, T]) asideLocked(w *keyWork[K, T], now time.Duration, e *effects[keyedItem[K, T]]) {
	at := duration.Add(now, w.again.wait)
	if k.ctx.Err() != nil {
		at = now
	}
	k.later.add(at, w)
	k.armLocked(e)
}

// takeRetryLocked returns a batch that was aside and whose time has come, or nil;
// see core.takeRetryLocked.
func (k *keyed[K, T]) takeRetryLocked(now time.Duration, e *effects[keyedItem[K, T]]) *keyWork[K, T] {
	at, ok := k.later.next()
	if !ok {
		return nil
	}
	if at > now {
		now = k.now()
	}
	w, ok := k.later.take(now)
	if ok {
		k.aside.release()
		k.armLocked(e)
	}
	return w
}

// completeLocked books w's batch, which was processed, and makes w free.
func (k *keyed[K, T]) completeLocked(w *keyWork[K, T], e *effects[keyedItem[K, T]]) {
	s, n := w.s, len(w.items)
	k.inFlight -= n
	k.inFlightB--
	k.n.ended(n, w.failed, w.retries, w.panics)
	k.passLocked(w.seq, e)
	for _, seg := range w.restSegs {
		k.passLocked(seg.seq, e)
	}
	items := w.items
	if k.cfg.DetachBatches {
		items = nil
	} else {
		clear(items)
	}
	w.s, w.rest, w.restSegs = nil, nil, nil
	w.batch = batch[T]{items: items[:0], wrap: w.wrap}
	s.running = false
	if s.segs.len() == 0 {
		k.busyKeys--
	}
	k.placeLocked(s, e)
	k.admitLocked(e) // a key may have become idle
	k.drainedLocked(e)
}

// drainedLocked sends the workers home when nothing will come any more.
func (k *keyed[K, T]) drainedLocked(e *effects[keyedItem[K, T]]) {
	if k.closing && k.pending == 0 {
		k.crew.wakeIdle(&e.wakeUps)
	}
	k.endLocked(e)
}

// passLocked follows the end of the segment numbered seq.
func (k *keyed[K, T]) passLocked(seq uint64, e *effects[keyedItem[K, T]]) {
	k.outstanding--
	e.barriers = k.barriers.pass(seq, e.barriers)
}

// endLocked closes done when k is closed and nothing is left to do.
func (k *keyed[K, T]) endLocked(e *effects[keyedItem[K, T]]) {
	if k.closing && !k.finished && k.crew.workers == 0 && k.inFlight == 0 && k.pending == 0 {
		k.finished = true
		k.alarm.stop()
		e.end = true
	}
}

func (k *keyed[K, T]) stats() KeyedStats {
	k.mu.lock()
	n := k.n
	s := KeyedStats{Name: k.cfg.Name, Keys: k.busyKeys, IdleKeys: k.idleKeys.len(), StoppedKeys: k.stoppedKeys}
	s.Pending, s.PendingBytes = k.pending, k.pendingSize
	s.InFlight, s.InFlightBatches, s.Aside = k.inFlight, k.inFlightB, len(k.later.heap)
	s.Waiting = k.line.len()
	s.Accepted = k.accepted + n.direct
	s.Uptime = k.now()
	k.mu.unlock()
	s.fill(&n, k.cfg.Name, k.hookPanics.Load(), k.cfg.MaxBatch)
	s.Age, s.Processing = k.age.Latency(), k.proc.Latency()
	return s
}
