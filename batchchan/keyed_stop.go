package batchchan

// stopKey stops the key of w's batch, which failed, and hands what waits of it to
// OnError. The worker calls it while the key is still in its hands: a barrier that
// counts on these items passes when w completes.
func (k *keyed[K, T]) stopKey(w *keyWork[K, T]) {
	var e effects[keyedItem[K, T]]
	s := w.s
	k.mu.lock()
	if !s.stopped {
		s.stopped = true
		k.stoppedKeys++
	}
	for _, seg := range s.segs.steal() {
		w.restSegs = append(w.restSegs, seg)
		k.pendingSize -= seg.bytes
	}
	w.rest = s.buf.steal()
	k.pending -= len(w.rest)
	k.n.undelivered += uint64(len(w.rest))
	for s.waiters.any() {
		e.settle(k.line.pop(s), ErrStopped)
	}
	k.admitLocked(&e)
	k.unlock(&e)
	if len(w.rest) > 0 {
		err := &KeyError[K]{k.cfg.Name, s.key, &stoppedError{w.cause}}
		k.failures.add(len(w.rest), err)
		k.report(err, w.rest)
	}
}

// resumeKey is Resume.
func (k *keyed[K, T]) resumeKey(key K) bool {
	if !k.checker.ok(key) {
		return false
	}
	k.mu.lock()
	defer k.mu.unlock()
	s := k.keys.get(key)
	if s == nil || !s.stopped {
		return false
	}
	s.stopped = false
	k.stoppedKeys--
	if !s.busy() {
		k.forgetLocked(s)
	}
	return true
}
