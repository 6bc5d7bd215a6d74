package batchchan

import (
	"runtime"
	"sync/atomic"
	"time"
)

// signal is one wake-up for one goroutine. To park and be woken costs more than
// a small batch, and where few goroutines run the woken one is found late: so a
// receiver may look out for it for a moment before it parks, and the sender touches
// the channel only if it has parked.
//
// Each arming is for exactly one send and one receive.
type signal struct {
	state atomic.Uint32
	ch    chan struct{} // capacity 1
}

const (
	unsent uint32 = iota
	sent
	awaited // on ch, and not sent
)

func newSignal() signal { return signal{ch: make(chan struct{}, 1)} }

// arm makes s ready for one send; before the sender can know of it.
func (s *signal) arm() { s.state.Store(unsent) }

// send reports whether the receiver was parked.
func (s *signal) send() bool {
	if s.state.Swap(sent) == awaited {
		s.ch <- struct{}{}
		return true
	}
	return false
}

// nudge is an empty goroutine. The one that was made runnable last is next to run
// on its waker's processor, and another processor takes it from there only after a
// sleep of some 50 µs (runqgrab in Go's runtime/proc.go): too long if the waker
// goes on sending. One more goroutine pushes the woken one out of that place
// (latency/rate=500000 of bench: median 205 to 150 µs, where 100 is ideal).
// Senders in a hurry are better off with the worker on their own processor, where
// the items are in the cache: for them the batch fills in less than nudgeAfter.
func nudge() {}

const nudgeAfter = 50 * time.Microsecond

// soon waits for a moment and reports whether the signal came.
func (s *signal) soon(yields int) bool {
	for range yields {
		runtime.Gosched()
		if s.state.Load() == sent {
			return true
		}
	}
	return false
}

// park announces a receive from ch. It reports false if the signal came, and
// then there is nothing to receive.
func (s *signal) park() bool { return s.state.CompareAndSwap(unsent, awaited) }

// wait waits for the signal.
func (s *signal) wait() {
	if s.park() {
		<-s.ch
	}
}

// waitOr waits for the signal and reports true, or until the channel is closed.
// After false the signal, if it is sent, must be received from ch.
func (s *signal) waitOr(end <-chan struct{}, yields int) bool {
	if s.soon(yields) || !s.park() {
		return true
	}
	select {
	case <-s.ch:
		return true
	case <-end:
		return false
	}
}

// How often a Caller's worker, and one that waits for its answer, yield before they
// park: a Do costs half (do/callers=64 of bench). Others park at once: a Batcher's
// worker that yields takes batches of 1000 from 64 producers at half the speed
// (sendmany/producers=64/batch=1000), and a sender that waits for room gains nothing.
const (
	workerYields = 1
	callerYields = 2
)
