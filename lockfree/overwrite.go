package lockfree

// enqueueDropOldest adds v to a bounded queue, and drops the oldest value if the
// queue is full. It returns how many values it dropped.
//
// A value that is to make another leave goes in first: the queue's values are the
// first capacity of those in the rings, and any more are not in it yet. The call
// does not end before its own value is one of the queue's (shed).
//
// Linearization: at whatever moves head so far that the value is one of the first.
// Where that is this call, it drops the oldest at that moment; where it is a
// dequeue, that comes just before; where it is the shedding of another, for a value
// behind or for Close, it dropped for this call too.
func (l *list[T]) enqueueDropOldest(v T) (dropped int, err error) {
	if err := l.enqueue(v); err != ErrFull {
		return 0, err
	}
	t, err := l.enqueueSlow(v, false)
	if err != nil {
		return 0, err
	}
	step(overPublished)
	return l.shed(t + one), nil
}

// shed makes the oldest values leave as long as more than capacity are in front of
// ticket end, which was given or is the next. It returns how many left. Values that
// others dequeue serve as well.
func (l *list[T]) shed(end uint64) (dropped int) {
	for {
		r, h := l.front()
		if int64(h+l.capacity-end) >= 0 {
			return dropped
		}
		live, ok := l.count(r, h, end)
		if !ok {
			continue
		}
		if live <= l.capacity {
			return dropped
		}
		// As long as head stays at h, there are too many.
		if r.inhabited(h, 1) == 0 {
			l.blocked(r, h)
			continue
		}
		step(overDropping)
		if r.head.CompareAndSwap(h, h+one) {
			l.highWater.note(int(l.capacity / one))
			l.dropped.Add(1)
			dropped++
			r.take(h)
		} else {
			l.deqGov.lost(h)
		}
	}
}

// refuse returns ErrClosed for a queue that was closed at ticket end. Values that
// EnqueueDropOldest had put there by then come before Close: first the oldest leave
// for them.
func (l *list[T]) refuse(end uint64) error {
	if l.capacity != 0 {
		l.shed(end)
	}
	return ErrClosed
}
