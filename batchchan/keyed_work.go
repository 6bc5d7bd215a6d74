package batchchan

import (
	"context"
	"time"
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

// work is a worker's life; see engine.workFrom.
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
		k.setAsideLocked(w, now, &e)
		w = k.newWork()
	case w.s != nil:
		k.core.complete(w, &e)
	}
	for {
		if r := k.core.takeRetry(now, &e); r != nil {
			k.aside.release()
			k.unlock(&e)
			return r
		}
		k.core.promote(now, &e)
		if k.core.line.len() > 0 {
			k.core.press(&e)
		}
		if k.core.ready.len() > 0 {
			break
		}
		if k.core.closing && k.core.pending == 0 {
			k.core.crew.leave()
			k.core.end(&e)
			k.unlock(&e)
			return nil
		}
		t.arm()
		k.core.crew.park(t)
		k.unlock(&e)
		t.wait()
		now = k.now()
		k.mu.lock()
	}
	k.core.take(w, now)
	k.core.admit(&e)
	k.unlock(&e)
	k.begin(&w.span, w.firstAt, now)
	return w
}

// take puts the first batch of the first key that is ready in w.
func (c *keyedCore[K, T]) take(w *keyWork[K, T], now time.Duration) {
	s := c.ready.first()
	reason, due := c.due(s, now)
	if !due { // it has become so since the worker looked at the clock: by age alone
		reason = ByLinger
	}
	c.ready.remove(s)
	seg := *s.segs.front()
	s.segs.drop()
	s.running = true
	w.s, w.seq = s, seg.seq
	w.reason, w.firstAt = reason, seg.at
	w.items = s.buf.pop(seg.n, w.items)
	c.pending -= seg.n
	c.pendingSize -= seg.bytes
	c.inFlight += seg.n
	c.inFlightB++
	c.n.delivered += uint64(seg.n)
	c.n.batches++
	c.n.reasons[reason]++
}

// setAsideLocked puts w, for which the executor has reserved a place, aside.
func (k *keyed[K, T]) setAsideLocked(w *keyWork[K, T], now time.Duration, e *effects[keyedItem[K, T]]) {
	k.core.putAside(w, k.nextAttempt(&w.batch, now), e)
}

// putAside puts w aside until that time.
func (c *keyedCore[K, T]) putAside(w *keyWork[K, T], at time.Duration, e *effects[keyedItem[K, T]]) {
	c.later.add(at, w)
	c.arm(e)
}

// takeRetry returns a batch that was aside and whose time has come, or nil;
// see core.takeRetry.
func (c *keyedCore[K, T]) takeRetry(now time.Duration, e *effects[keyedItem[K, T]]) *keyWork[K, T] {
	w, ok := c.later.takeDue(now, c.clock)
	if ok {
		c.arm(e)
		if c.ready.len() > 0 {
			c.crew.wake(&e.wakeUps) // this worker may have been woken for that key
		}
	}
	return w
}

// complete books w's batch, which was processed, and makes w free.
func (c *keyedCore[K, T]) complete(w *keyWork[K, T], e *effects[keyedItem[K, T]]) {
	s, n := w.s, len(w.items)
	c.inFlight -= n
	c.inFlightB--
	c.n.ended(n, w.failed, w.retries, w.panics)
	c.pass(w.seq, e)
	for _, seg := range w.restSegs {
		c.pass(seg.seq, e)
	}
	items := w.items
	if c.cfg.DetachBatches {
		items = nil
	} else {
		clear(items)
	}
	w.s, w.rest, w.restSegs = nil, nil, nil
	w.batch = batch[T]{items: items[:0], wrap: w.wrap}
	s.running = false
	if s.segs.len() == 0 {
		c.busyKeys--
	}
	c.place(s, e)
	c.admit(e) // a key may have become idle
	c.drained(e)
}

// drained sends the workers home when nothing will come any more.
func (c *keyedCore[K, T]) drained(e *effects[keyedItem[K, T]]) {
	if c.closing && c.pending == 0 {
		c.crew.wakeIdle(&e.wakeUps)
	}
	c.end(e)
}

// pass follows the end of the segment numbered seq.
func (c *keyedCore[K, T]) pass(seq uint64, e *effects[keyedItem[K, T]]) {
	c.outstanding--
	e.barriers = c.barriers.pass(seq, e.barriers)
}

// end closes done when k is closed and nothing is left to do.
func (c *keyedCore[K, T]) end(e *effects[keyedItem[K, T]]) {
	if c.closing && !c.finished && c.crew.workers == 0 && c.inFlight == 0 && c.pending == 0 {
		c.finished = true
		c.alarm.stop()
		e.end = true
	}
}

func (k *keyed[K, T]) stats() KeyedStats {
	age, proc := k.age.Latency(), k.proc.Latency() // before the counters: never more are timed than counted
	k.mu.lock()
	n := k.core.n
	s := KeyedStats{Name: k.cfg.Name, Keys: k.core.busyKeys, IdleKeys: k.core.idleKeys.len(), StoppedKeys: k.core.stoppedKeys}
	s.Pending, s.PendingBytes = k.core.pending, k.core.pendingSize
	s.InFlight, s.InFlightBatches, s.Aside = k.core.inFlight, k.core.inFlightB, len(k.core.later.heap)
	s.Waiting = k.core.line.len()
	s.Accepted = k.core.accepted + n.direct
	s.Uptime = k.now()
	k.mu.unlock()
	s.fill(&n, k.cfg.Name, k.hookPanics.Load(), k.cfg.MaxBatch)
	s.Age, s.Processing = age, proc
	return s
}
