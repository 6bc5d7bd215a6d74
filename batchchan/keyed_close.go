package batchchan

import "context"

func (k *keyed[K, T]) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.inside(ctx) {
		return ErrInProcessor
	}
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	f := k.flushLocked(&e)
	lost := k.n.undelivered > 0
	k.unlock(&e)
	if f == nil {
		if lost {
			return ErrClosed
		}
		return nil
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flushLocked sets a barrier, or shares the last one if nothing was accepted
// since. It returns nil if there is nothing to wait for.
func (k *keyed[K, T]) flushLocked(e *effects[keyedItem[K, T]]) *flushWait {
	if k.pending == 0 && k.inFlight == 0 {
		return nil
	}
	if f := k.lastFlush; f != nil && f.target == k.accepted && f.left > 0 {
		return f
	}
	f := &flushWait{target: k.accepted, done: make(chan struct{})}
	k.lastFlush = f
	for _, s := range k.keys {
		if s.waiting() == 0 && !s.running {
			continue
		}
		f.left++
		s.flushes = append(s.flushes, keyMark{f, s.from + uint64(s.waiting())})
		if s.waiting() > 0 {
			s.manual = true
			k.placeLocked(s, e)
		}
	}
	return f
}

// beginClose refuses what comes from now on and makes everything that waits
// due.
func (k *keyed[K, T]) beginClose() {
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	if !k.closing {
		k.closing = true
		for k.waiters.head != nil {
			k.waiters.settle(k.waiters.head, ErrClosed, &e)
		}
		for _, s := range k.keys {
			if s.waiting() > 0 {
				k.placeLocked(s, &e)
			}
		}
		for len(k.idle) > 0 {
			k.wakeLocked(&e)
		}
		k.endLocked(&e)
	}
	k.unlock(&e)
}

func (k *keyed[K, T]) shutdown(ctx context.Context) (undelivered []T, err error) {
	if k.inside(ctx) {
		return nil, ErrInProcessor
	}
	k.beginClose()
	if ctx.Err() == nil {
		select {
		case <-k.done:
			return nil, nil
		case <-ctx.Done():
		}
	}
	var e effects[keyedItem[K, T]]
	k.mu.lock()
	if k.finished {
		k.unlock(&e)
		<-k.done
		return nil, nil
	}
	for _, s := range k.keys {
		if s.waiting() > 0 {
			undelivered = append(undelivered, s.buf[s.off:]...)
			k.discardLocked(s)
		}
	}
	k.n.undelivered += uint64(len(undelivered))
	k.pending = 0
	if len(undelivered) > 0 {
		k.failFlushesLocked(&e)
	}
	running := k.inFlight
	for len(k.idle) > 0 { // nothing is left for them
		k.wakeLocked(&e)
	}
	k.endLocked(&e)
	k.unlock(&e)
	k.cancel()
	return undelivered, cutShort(ctx, len(undelivered), running)
}

// discardLocked empties s, whose items were taken back.
func (k *keyed[K, T]) discardLocked(s *keyState[K, T]) {
	clear(s.buf)
	s.buf, s.off, s.marks = s.buf[:0], 0, s.marks[:0]
	k.waits.remove(s)
	if s.list == inReady {
		k.ready.remove(s)
	}
	if !s.running {
		k.busyKeys--
		k.idleKeys.push(s, inIdle)
	}
}

// failFlushesLocked ends all barriers: what they wait for was taken back.
func (k *keyed[K, T]) failFlushesLocked(e *effects[keyedItem[K, T]]) {
	for _, s := range k.keys {
		for _, m := range s.flushes {
			if m.f.left > 0 {
				m.f.left, m.f.err = 0, ErrClosed
				m.f.next = e.flushes
				e.flushes = m.f
			}
		}
		clear(s.flushes)
		s.flushes = s.flushes[:0]
	}
}
