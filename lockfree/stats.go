package lockfree

// Stats is a snapshot of a queue's counters. It is taken without stopping anybody,
// and the counters cost the queue's users nothing while nothing goes wrong.
//
// Enqueued - Dequeued = Len in every snapshot, and all are exact when no operation
// is in progress; an operation in progress may or may not be in. Fields that do not
// apply to a type are zero.
type Stats struct {
	Enqueued uint64 `json:"enqueued"` // values added
	Dequeued uint64 `json:"dequeued"` // values taken

	// Barred counts tickets that were spent without a value, because the goroutine
	// that held the ticket or its slot stalled and others went on without it.
	Barred uint64 `json:"barred"`

	// EnqueueLosses and DequeueLosses count lost races for a place at the tail and
	// at the head. Many per operation mean that the queue is contended.
	EnqueueLosses uint64 `json:"enqueue_losses"`
	DequeueLosses uint64 `json:"dequeue_losses"`

	Waits   uint64 `json:"waits"`   // times that a goroutine parked
	Wakeups uint64 `json:"wakeups"` // times that one was signalled

	Rings uint64 `json:"rings"` // rings made so far

	Len int `json:"len"` // values in the queue

	// HighWater is the greatest length seen: by Stats, Len, and by a look on every
	// 64th value added, so that a peak is at most 63 higher.
	HighWater int `json:"high_water"`

	Cap int `json:"cap"` // of a Bounded
}

// front returns the ring that has the oldest value, or will have, and its head. It
// returns nil and the first ticket for a zero list.
func (l *list[T]) front() (*ring[T], uint64) {
	for {
		r := l.head.Load()
		if r == nil {
			return nil, l.origin
		}
		h := r.head.Load()
		if r.tail.Load() == h|sealed && r.next.Load() != nil {
			l.retire(r)
			continue
		}
		return r, h
	}
}

// back returns the last ring and its tail, without flags.
func (l *list[T]) back() (*ring[T], uint64) {
	for {
		r := l.tail.Load()
		if r == nil {
			return nil, l.origin
		}
		next := r.next.Load()
		if next == nil {
			return r, r.tail.Load() &^ flags
		}
		if next != r {
			l.tail.CompareAndSwap(r, next)
		}
	}
}

// counts returns how many values have been taken and how many are there.
func (l *list[T]) counts() (dequeued uint64, length int) {
	const tries = 8 // a steady head makes the length that of one moment
	for i := 0; ; i++ {
		_, h := l.front()
		passed := l.passed.Load()
		_, t := l.back()
		spent := l.barred.Load() + l.skipped.Load()
		if _, now := l.front(); now != h && i < tries {
			continue
		}
		n := int64(t-h)/one - int64(spent-passed)
		if l.capacity != 0 {
			n = min(n, int64(l.capacity/one))
		}
		return (h-l.origin)/one - passed, int(max(n, 0))
	}
}

// sample looks at the length for its greatest value.
func (l *list[T]) sample() int {
	_, n := l.counts()
	l.noteLength(n)
	return n
}

func (l *list[T]) noteLength(n int) {
	for {
		seen := l.highWater.Load()
		if int64(n) <= seen || l.highWater.CompareAndSwap(seen, int64(n)) {
			return
		}
	}
}

func (l *list[T]) stats() Stats {
	var s Stats
	s.Waits = l.notEmpty.waits.Load() + l.notFull.waits.Load()
	s.Wakeups = l.notEmpty.wakeups.Load() + l.notFull.wakeups.Load()
	s.Dequeued, s.Len = l.counts()
	l.noteLength(s.Len)
	s.HighWater = int(l.highWater.Load())
	s.Enqueued = s.Dequeued + uint64(s.Len)
	s.Barred = l.barred.Load() + l.skipped.Load()
	s.EnqueueLosses = l.enqGov.losses.Load()
	s.DequeueLosses = l.deqGov.losses.Load()
	if r, _ := l.back(); r != nil {
		s.Rings = r.index + 1
	}
	s.Cap = int(l.capacity / one)
	return s
}
