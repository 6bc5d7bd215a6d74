package lockfree

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/describe"
)

// Stats is a snapshot of a queue's counters. It is taken without stopping anybody,
// and the counters cost the queue's users nothing while nothing goes wrong.
//
// Enqueued = Dequeued + Dropped + Len in every snapshot, and all are exact when no
// operation is in progress; an operation in progress may or may not be in. Fields that do not
// apply to a type are zero.
type Stats struct {
	Name string `json:"name,omitempty"` // see WithName

	Enqueued uint64 `json:"enqueued"` // values added
	Dequeued uint64 `json:"dequeued"` // values taken

	// Dropped counts the values that EnqueueDropOldest of a Bounded made leave.
	Dropped uint64 `json:"dropped"`

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

	// HighWater is the greatest length seen: by Stats, by Len, by an enqueue that
	// found a Bounded full, and by a look on every 64th value added. So a peak of a
	// queue that is not full may be up to 63 higher.
	HighWater int `json:"high_water"`

	Cap int `json:"cap"` // of a Bounded
}

// String returns the counters in a line, leaving out those of what did not happen:
//
//	jobs: 12 of 1024 values, at most 1024; 1.20M in, 1.20M out; 310 waits
func (s Stats) String() string {
	var b strings.Builder
	if s.Name != "" {
		fmt.Fprintf(&b, "%s: ", s.Name)
	}
	fmt.Fprintf(&b, "%d", s.Len)
	if s.Cap > 0 {
		fmt.Fprintf(&b, " of %d", s.Cap)
	}
	fmt.Fprintf(&b, " values, at most %d; %s in, %s out", s.HighWater, describe.Count(s.Enqueued), describe.Count(s.Dequeued))
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{s.Dropped, ", %s dropped"},
		{s.Waits, "; %s waits"},
		{s.EnqueueLosses + s.DequeueLosses, "; %s races lost"},
		{s.Barred, "; %s tickets barred"},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, c.what, describe.Count(c.n))
		}
	}
	return b.String()
}

// LogValue returns the fields that are not zero, under their JSON names, as a group
// for package log/slog.
func (s Stats) LogValue() slog.Value { return describe.LogValue(s) }

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
		// passed may be newer than h, and both be of a queue with hardly a dequeue.
		return uint64(max(int64(h-l.origin)/one-int64(passed), 0)), int(max(n, 0))
	}
}

// sample looks at the length for its greatest value.
func (l *list[T]) sample() int {
	_, n := l.counts()
	l.highWater.note(n)
	return n
}

// peak is the greatest length seen.
type peak struct{ n atomic.Int64 }

func (p *peak) note(n int) {
	for {
		seen := p.n.Load()
		if int64(n) <= seen || p.n.CompareAndSwap(seen, int64(n)) {
			return
		}
	}
}

func (l *list[T]) stats() Stats {
	s := Stats{Name: l.name}
	s.Waits = l.notEmpty.waits.Load() + l.notFull.waits.Load()
	s.Wakeups = l.notEmpty.wakeups.Load() + l.notFull.wakeups.Load()
	s.Dequeued, s.Len = l.counts()
	l.highWater.note(s.Len)
	s.HighWater = int(l.highWater.n.Load())
	s.Dropped = min(l.dropped.Load(), s.Dequeued)
	s.Enqueued = s.Dequeued + uint64(s.Len)
	s.Dequeued -= s.Dropped
	s.Barred = l.barred.Load() + l.skipped.Load()
	s.EnqueueLosses = l.enqGov.losses.Load()
	s.DequeueLosses = l.deqGov.losses.Load()
	if r, _ := l.back(); r != nil {
		s.Rings = r.index + 1
	}
	s.Cap = int(l.capacity / one)
	return s
}
