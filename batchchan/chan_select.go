package batchchan

import "context"

// C returns a Go channel with c's items, for use in a select. It is closed when c
// is closed and empty, and when ctx is done. A goroutine moves the items, one
// ahead; it ends with the channel, so ctx must be done or c closed at some time.
// When ctx is done, an item that was moved and not received goes back to the
// front of c: none is lost. It costs about two channel operations per item.
func (c *Chan[T]) C(ctx context.Context) <-chan T {
	out := make(chan T)
	go c.pump(ctx, out)
	return out
}

func (c *Chan[T]) pump(ctx context.Context, out chan<- T) {
	defer close(out)
	for {
		if ctx.Err() != nil {
			return
		}
		var item T
		err := c.recvWith(ctx, forever, func() outcome { return c.recvHeld(&item) })
		if err != nil {
			return
		}
		select {
		case out <- item:
			c.settle(nil)
		case <-ctx.Done():
			c.settle(&item)
			return
		}
	}
}

// recvHeld receives an item that may come back. It marks that before the item
// leaves the ring: whoever finds the ring at its end afterwards sees the mark.
func (c *Chan[T]) recvHeld(item *T) outcome {
	s := &c.side
	s.mu.lock()
	defer s.mu.unlock()
	s.back.Add(1)
	if len(s.returned) > 0 {
		s.popLocked(item)
		s.held++
		return done
	}
	r := c.ring.recv(item)
	if r == done {
		s.held++
		return done
	}
	s.back.Add(-1)
	if r == closed && s.held > 0 {
		return blocked // another C may return one
	}
	return r
}

func (s *chanSide[T]) popLocked(item *T) {
	*item = s.returned[0]
	var zero T
	s.returned[0] = zero
	s.returned = s.returned[1:]
	s.back.Add(-1)
}

// settle ends the holding of an item: it is gone, or, if item is not nil, back.
func (c *Chan[T]) settle(item *T) {
	s := &c.side
	s.mu.lock()
	s.held--
	if item != nil {
		s.returned = append([]T{*item}, s.returned...)
	} else {
		s.back.Add(-1)
	}
	s.mu.unlock()
	switch {
	case c.ring.isClosed():
		s.receivers.wakeAll() // the end may be reached now
	case item != nil && s.receivers.wanted.Load():
		s.receivers.wake()
	}
}
