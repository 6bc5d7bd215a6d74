package batchchan

// stopKey stops the key of w's batch, which failed, and hands what waits of it to
// OnError. The worker calls it while the key is still in its hands: a barrier that
// counts on these items passes when w completes.
func (k *keyed[K, T]) stopKey(w *keyWork[K, T]) {
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	k.core.stop(w, &e)
	k.unlock(&e)
	if len(w.rest) > 0 {
		err := &KeyError[K]{k.cfg.Name, w.s.key, &stoppedError{w.cause}}
		k.failures.add(len(w.rest), err)
		k.report(err, w.rest)
	}
}

// stop takes out what waits of the key of w and ends the waits of its senders.
func (c *keyedCore[K, T]) stop(w *keyWork[K, T], e *effects[keyedItem[K, T]]) {
	s := w.s
	if !s.stopped {
		s.stopped = true
		c.stoppedKeys++
	}
	for _, seg := range s.segs.steal() {
		w.restSegs = append(w.restSegs, seg)
		c.pendingSize -= seg.bytes
	}
	w.rest = s.buf.steal()
	c.pending -= len(w.rest)
	c.n.undelivered += uint64(len(w.rest))
	for s.waiters.any() {
		e.settle(c.line.pop(s), ErrStopped)
	}
	c.admit(e)
}

// resumeKey is Resume.
func (k *keyed[K, T]) resumeKey(key K) bool {
	if !k.checker.ok(key) {
		return false
	}
	k.mu.lock()
	defer k.mu.unlock()
	return k.core.resume(key)
}

func (c *keyedCore[K, T]) resume(key K) bool {
	s := c.keys.get(key)
	if s == nil || !s.stopped {
		return false
	}
	s.stopped = false
	c.stoppedKeys--
	if !s.busy() {
		c.forget(s)
	}
	return true
}
