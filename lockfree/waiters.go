package lockfree

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// waiters is an eventcount: goroutines wait in it for a condition that others
// bring about without a lock, and that each of them looks at again after it has
// registered and before it parks.
//
// Waiters park on a channel of tokens, one of which wakes one waiter. Invariant:
//
//	unclaimed + tokens in the channel = registered waiters + signallers at work
//
// where a signaller is at work from sending its token until it has settled. To
// register adds to unclaimed and to the waiters; to send adds to the tokens and to
// the signallers; to receive takes from the tokens and from the waiters; and settle
// takes from one of the two on the left for the signaller, or for the waiter that
// leaves, that calls it. So when nobody is in the middle of a call nothing is left
// over, and the next waiter is not woken by what nobody took.
//
// A token in the channel and a parked waiter cannot be at the same time. Hence
// every parked waiter is counted in unclaimed, and the next signal sees it, wherever
// another signaller stalls. A waiter that is registered when a signaller reads
// unclaimed as 0 gets one of the tokens in the channel, and looks again then.
type waiters struct {
	// unclaimed is all that a goroutine looks at when nobody waits.
	unclaimed atomic.Int64
	tokens    atomic.Pointer[chan struct{}]

	waits, wakeups atomic.Uint64
}

// yields is how often a waiter lets others run before it parks. Four make an
// unbuffered ping-pong as fast as a channel's; see BenchmarkPingPong.
const yields = 4

// channel returns the channel of tokens, and makes it for the first waiter. Its
// buffer takes no memory (tokens have no size) and is never full.
func (w *waiters) channel() chan struct{} {
	if c := w.tokens.Load(); c != nil {
		return *c
	}
	c := make(chan struct{}, 1<<30)
	w.tokens.CompareAndSwap(nil, &c)
	return *w.tokens.Load()
}

// wake signals up to n waiters.
func (w *waiters) wake(n int) {
	if w.unclaimed.Load() > 0 {
		w.wakeSlow(n)
	}
}

func (w *waiters) wakeSlow(n int) {
	c := w.channel()
	for ; n > 0 && w.unclaimed.Load() > 0; n-- {
		step(wakeOne)
		c <- struct{}{}
		step(wakeSent)
		w.settle()
	}
}

// wakeAll signals every waiter that is registered.
func (w *waiters) wakeAll() { w.wake(1 << 30) }

// settle is called once by each signaller after it has sent its token, and by each
// waiter that leaves without one. It takes one off the count of those whom no
// signaller has claimed. If all of them have been claimed there is a token too
// many, and it takes that one back.
//
// The caller is one of those on the right of the invariant, so one of the two can
// be had at every moment. Both fail only if others move between the two looks, so it
// does not spin: a goroutine alone on its P looks once more for each time that it was
// preempted there.
func (w *waiters) settle() {
	for {
		n := w.unclaimed.Load()
		if n > 0 {
			if w.unclaimed.CompareAndSwap(n, n-1) {
				return
			}
			continue
		}
		step(waitSettling)
		select {
		case <-w.channel():
			return
		default:
		}
	}
}

// await calls try until it succeeds, and parks in between. It returns ErrClosed
// when over reports, after a failed try, that no try can succeed any more, and
// why ctx ended when it has. more reports whether one more try might succeed.
func (w *waiters) await(ctx context.Context, try, over, more func() bool) error {
	for range yields {
		runtime.Gosched()
		if try() {
			return nil
		}
	}
	c := w.channel()
	done := ctx.Done() // may be the caller's code: not between joining and leaving
	for {
		if err := ctxerr.From(ctx); err != nil {
			return err
		}
		w.unclaimed.Add(1)
		step(waitJoined)
		if try() {
			w.settle()
			return nil
		}
		if over() {
			w.settle()
			return ErrClosed
		}
		w.waits.Add(1)
		select {
		case <-c:
			w.wakeups.Add(1)
		case <-done:
			w.settle()
			return ctxerr.From(ctx)
		}
		step(waitWoken)
		if err := ctxerr.From(ctx); err != nil {
			w.wake(1) // the signal was for somebody who still waits
			return err
		}
		if try() {
			// Another signaller may have stalled before its signal, and its value
			// be the one just taken: if one more can be had, somebody else must
			// look for it. A vain signal does no harm.
			if w.unclaimed.Load() > 0 && more() {
				w.wake(1)
			}
			return nil
		}
		if over() {
			w.wake(1)
			return ErrClosed
		}
	}
}
