package jetstream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/poundlock/poundlock/internal/stats"
)

// held is a message that this process has.
type held struct {
	msg *nats.Msg
	d   *Delivery
	key string

	// Guarded by the ledger's mu.
	state  heldState
	alive  time.Time               // when the server last had a sign of life of it, or before
	since  time.Time               // when it came, then when it was started
	cancel context.CancelCauseFunc // of its handler
}

// heldState only grows.
type heldState int

const (
	heldWaiting heldState = iota
	heldRunning           // in the handler
	heldAcking            // handled; the server is being told
	heldSettled
)

// end is how a message left the ledger.
type end int

const (
	endAcked end = iota
	endFailed
	endTerminated
	endDeadLettered
	endReturned
	endLost
	endUnconfirmed
	endAbandoned
	numEnds
)

// ledger has every message from its arrival to its end, which it enters once,
// whoever comes first: the handler's return, the acknowledgement, Shutdown, or the
// finding that others have the message. It is told the time.
type ledger struct {
	wait    time.Duration // the server's patience
	timeout time.Duration // how long a handler's messages are kept alive; 0 means for ever
	slots   chan struct{} // one per message that is held, and per place asked for

	mu      sync.Mutex
	closed  bool               // guarded by mu; nothing is started any more
	all     map[*held]struct{} // guarded by mu; none is settled
	by      [heldSettled]int   // guarded by mu; how many of all are in which state
	fetched uint64             // guarded by mu
	again   uint64             // guarded by mu; of fetched, those delivered before
	ends    [numEnds]uint64    // guarded by mu

	waited, ran stats.Histogram
}

func newLedger(places int, wait, timeout time.Duration) *ledger {
	return &ledger{wait: wait, timeout: timeout, slots: make(chan struct{}, places), all: map[*held]struct{}{}}
}

// passed returns how much time lies between two moments. A clock that stands still
// while the machine sleeps does not count then, and the wall clock may be set:
// the longer of the two is right or too careful.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// add enters h, which the server sent after asked and for which there is a slot.
// It reports false if h is to be handed back, which is entered, too.
func (l *ledger) add(h *held, asked, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fetched++
	if h.d.Delivered > 1 {
		l.again++
	}
	h.alive, h.since = asked, now
	l.all[h] = struct{}{}
	l.by[heldWaiting]++
	if l.closed {
		l.settle(h, endReturned)
		return false
	}
	return true
}

// start enters that h's handler is about to be called. It reports false if it must
// not be: h was handed back, or is lost.
func (l *ledger) start(h *held, cancel context.CancelCauseFunc, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case h.state != heldWaiting:
		return false
	case passed(h.alive, now) >= l.wait:
		l.settle(h, endLost)
		return false
	}
	l.waited.Record(now.Sub(h.since))
	l.move(h, heldRunning)
	h.cancel, h.since = cancel, now
	return true
}

// succeed enters that h's handler returned nil, and reports whether h is to be
// acknowledged.
func (l *ledger) succeed(h *held, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mine(h, heldRunning, now) {
		return false
	}
	l.ran.Record(now.Sub(h.since))
	l.move(h, heldAcking)
	return true
}

// finish ends h, whose handler failed, and reports whether the server is to be
// told: not if h is settled, and not if others may have it.
func (l *ledger) finish(h *held, e end, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mine(h, heldRunning, now) {
		return false
	}
	l.ran.Record(now.Sub(h.since))
	l.settle(h, e)
	return true
}

// running says whether h is still this process's to decide about.
func (l *ledger) running(h *held, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mine(h, heldRunning, now)
}

// acking returns which of hs, by index, are still to be acknowledged.
func (l *ledger) acking(hs []*held, now time.Time) (mine []int) {
	mine = make([]int, 0, len(hs))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, h := range hs {
		if l.mine(h, heldAcking, now) {
			mine = append(mine, i)
		}
	}
	return mine
}

// confirm ends h, which was to be acknowledged.
func (l *ledger) confirm(h *held, e end) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.state == heldAcking {
		l.settle(h, e)
	}
}

// confirmed ends those of hs, each of which was to be acknowledged, that have no error.
func (l *ledger) confirmed(hs []*held, mine []int, errs []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for j, i := range mine {
		if errs[j] == nil && hs[i].state == heldAcking {
			l.settle(hs[i], endAcked)
		}
	}
}

// cancelRunning ends the ctx of every handler that runs.
func (l *ledger) cancelRunning(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := range l.all {
		if h.state == heldRunning {
			h.cancel(cause)
		}
	}
}

// mine says whether h is in that state and no others have it. It enters that h is
// lost if they may.
func (l *ledger) mine(h *held, state heldState, now time.Time) bool {
	if h.state != state {
		return false
	}
	if passed(h.alive, now) >= l.wait {
		l.settle(h, endLost)
		return false
	}
	return true
}

// beat returns the messages of which the server is to hear. Those of which it has
// not heard for too long are given up: a handler that has one is cancelled, and
// keeps its place until it returns.
func (l *ledger) beat(now time.Time) (live []*held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := range l.all {
		switch {
		case passed(h.alive, now) >= l.wait && h.state == heldRunning:
			h.cancel(ErrLost)
		case passed(h.alive, now) >= l.wait:
			l.settle(h, endLost)
		case h.state == heldRunning && l.timeout > 0 && now.Sub(h.since) >= l.timeout:
			// it had its time
		default:
			live = append(live, h)
		}
	}
	return live
}

// beaten enters that the server had a sign of life of hs after at.
func (l *ledger) beaten(hs []*held, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hs {
		h.alive = at
	}
}

// close lets nothing be started any more and returns what was not, ended.
func (l *ledger) close(now time.Time) (back []*held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for h := range l.all {
		if l.mine(h, heldWaiting, now) {
			l.settle(h, endReturned)
			back = append(back, h)
		}
	}
	return back
}

// young returns those of hs, which are ended, that others do not have yet.
func (l *ledger) young(hs []*held, now time.Time) []*held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(hs, func(h *held) bool { return passed(h.alive, now) >= l.wait })
}

// abandon ends what is still in the handler, or still being acknowledged.
func (l *ledger) abandon() (running, unacked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := range l.all {
		switch h.state {
		case heldRunning:
			running++
			l.settle(h, endAbandoned)
		case heldAcking:
			unacked++
			l.settle(h, endUnconfirmed)
		}
	}
	return running, unacked
}

func (l *ledger) move(h *held, to heldState) {
	l.by[h.state]--
	h.state = to
	l.by[to]++
}

// settle ends h and frees its slot.
func (l *ledger) settle(h *held, e end) {
	l.by[h.state]--
	h.state = heldSettled
	delete(l.all, h)
	l.ends[e]++
	<-l.slots
}
