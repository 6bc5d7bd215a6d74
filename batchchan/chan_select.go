package batchchan

import (
	"cmp"
	"context"
	"slices"
)

// C returns a Go channel with c's items, for use in a select. It is closed when c
// is closed and empty, and when ctx is done. A goroutine moves the items, one
// ahead. When ctx is done, an item that was moved and not received goes back to its
// place at the front of c: none is lost, and the order among those that come back
// is kept. It costs about two channel operations per item.
//
// The item that is one ahead counts in Len, but until ctx is done only a receiver of
// the returned channel can get it: meanwhile TryRecv may find nothing, and receivers of
// a closed Chan wait until that item was received or came back. So end ctx as soon as
// no goroutine receives from the channel any more; this ends the moving goroutine too.
func (c *Chan[T]) C(ctx context.Context) <-chan T {
	notNil(ctx)
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
		var h heldItem[T]
		err := c.recvWith(ctx, forever, func() outcome { return c.recvHeld(&h) })
		if err != nil {
			return
		}
		select {
		case out <- h.item:
			c.settle(nil)
		case <-ctx.Done():
			c.settle(&h)
			return
		}
	}
}

// heldItem is an item that may come back, with its place among all that may.
type heldItem[T any] struct {
	item T
	nth  uint64
}

// recvHeld receives an item that may come back. It marks that before the item
// leaves the ring: whoever finds the ring at its end afterwards sees the mark. As
// all that may come back are received under side.mu, nth orders them as the ring
// did.
func (c *Chan[T]) recvHeld(h *heldItem[T]) outcome {
	s := &c.side
	s.mu.lock()
	defer s.mu.unlock()
	s.back.Add(1)
	if len(s.returned) > 0 {
		*h = s.popLocked()
		s.held++
		return done
	}
	r := c.ring.recv(&h.item)
	if r == done {
		s.holds++
		h.nth = s.holds
		s.held++
		return done
	}
	s.back.Add(-1)
	if r == closed && s.held > 0 {
		return blocked // another C may return one
	}
	return r
}

func (s *chanSide[T]) popLocked() heldItem[T] {
	h := s.returned[0]
	s.returned[0] = heldItem[T]{}
	s.returned = s.returned[1:]
	s.back.Add(-1)
	return h
}

// settle ends the holding of an item: it is gone, or, if h is not nil, back.
func (c *Chan[T]) settle(h *heldItem[T]) {
	s := &c.side
	s.mu.lock()
	s.held--
	if h != nil {
		i, _ := slices.BinarySearchFunc(s.returned, h.nth, func(r heldItem[T], nth uint64) int { return cmp.Compare(r.nth, nth) })
		s.returned = slices.Insert(s.returned, i, *h)
	} else {
		s.back.Add(-1)
	}
	s.mu.unlock()
	switch {
	case c.ring.isClosed():
		s.receivers.wakeAll() // the end may be reached now
	case h != nil && s.receivers.wanted.Load():
		s.receivers.wake()
	}
}
