package jetstream

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// letter is a message on its way to the server.
type letter struct {
	m        Message
	seq      uint64       // order of acceptance
	lane     lane         // that it goes through
	offered  time.Time    // to the outbox
	attempts int          // made; the sending worker's own
	over     bool         // no further attempt may be made; the sending worker's own
	answer   chan outcome // of a Publish, with room for one; nil for a Send
	state    letterState  // guarded by the outbox's mu
}

// letterState only grows.
type letterState int

const (
	letterOffered letterState = iota // the batcher has not said whether it takes it
	letterQueued
	letterSent // the server may have it
	letterSettled
)

// outcome is what became of a letter.
type outcome struct {
	ack Ack
	err error
}

// fate is how a letter left the outbox.
type fate int

const (
	fateAcked fate = iota
	fateFailed
	fateCancelled // its Publish left before it was sent
	fateReturned  // by Shutdown
	fateRejected  // never accepted
)

// outbox has every letter from its arrival to its end, which it enters once,
// whoever comes first: the server's answer, the Publish that leaves, or Shutdown.
type outbox struct {
	mu      sync.Mutex
	letters map[*letter]struct{} // guarded by mu; none is settled
	seq     uint64               // guarded by mu
	emptied bool                 // guarded by mu; nothing more is sent
	n       PublisherStats       // guarded by mu; the counters
	ackTime stats.Histogram
}

// offer takes l in.
func (o *outbox) offer(l *letter, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.letters == nil {
		o.letters = map[*letter]struct{}{}
	}
	o.seq++
	l.seq, l.offered = o.seq, now
	o.letters[l] = struct{}{}
	o.n.Submitted++
	o.n.HighWater = max(o.n.HighWater, len(o.letters))
}

// accept says that the batcher has taken l. It reports false if that came too
// late: Shutdown has handed back what there was, and l will not be sent.
func (o *outbox) accept(l *letter) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case l.state != letterOffered: // the sending worker was faster
	case o.emptied:
		o.settleLocked(l, fateRejected)
		return false
	default:
		l.state = letterQueued
	}
	return true
}

// drop ends l if the batcher has not said whether it takes it, and will not.
func (o *outbox) drop(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.state == letterOffered {
		o.settleLocked(l, fateRejected)
	}
}

// reject counts a message that was not taken in.
func (o *outbox) reject() {
	o.mu.Lock()
	o.n.Submitted++
	o.n.Rejected++
	o.mu.Unlock()
}

// send says that l is about to be sent. It reports false if it must not be.
func (o *outbox) send(l *letter) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.state == letterSettled || o.emptied {
		return false
	}
	l.state = letterSent
	if l.attempts++; l.attempts > 1 {
		o.n.Retried++
	}
	return true
}

// leave says that l's Publish has gone.
func (o *outbox) leave(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.state < letterSent {
		o.settleLocked(l, fateCancelled)
	}
}

// settle ends l. It reports false if that was done before.
func (o *outbox) settle(l *letter, f fate, out outcome, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.state == letterSettled {
		return false
	}
	o.settleLocked(l, f)
	if f == fateAcked {
		if out.ack.Duplicate {
			o.n.Duplicates++
		}
		o.ackTime.Record(now.Sub(l.offered))
	}
	if l.answer != nil {
		l.answer <- out
	}
	return true
}

func (o *outbox) settleLocked(l *letter, f fate) {
	l.state = letterSettled
	delete(o.letters, l)
	switch f {
	case fateAcked:
		o.n.Acked++
	case fateFailed:
		o.n.Failed++
	case fateCancelled:
		o.n.Cancelled++
	case fateReturned:
		o.n.Returned++
	case fateRejected:
		o.n.Rejected++
	}
}

// empty ends all letters: a Publish gets err, and what was sent with Send is
// returned in the order of acceptance. n is how many letters there were.
func (o *outbox) empty(err error, now time.Time) (back []Message, n int) {
	o.mu.Lock()
	o.emptied = true
	all := make([]*letter, 0, len(o.letters))
	for l := range o.letters {
		if l.state != letterOffered {
			all = append(all, l)
		}
	}
	o.mu.Unlock()
	slices.SortFunc(all, func(a, b *letter) int { return cmp.Compare(a.seq, b.seq) })
	for _, l := range all {
		if !o.settle(l, fateReturned, outcome{err: err}, now) {
			continue
		}
		n++
		if l.answer == nil {
			back = append(back, l.m)
		}
	}
	return back, n
}

// stats returns the counters and what is of the moment.
func (o *outbox) stats() PublisherStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.n
	s.Pending = len(o.letters)
	s.AckTime = o.ackTime.Latency()
	return s
}
