package lockfree

import (
	"context"
	"runtime"
	"sync/atomic"
)

// waiters is an eventcount: goroutines wait in it for a condition that others
// bring about without a lock, and that each of them looks at again after it has
// registered and before it parks.
//
// Waiters park on a channel of tokens. Invariant: registered waiters never exceed
// unclaimed + tokens in the channel. Registering adds to both sides; a signal
// sends its token first and lowers unclaimed afterwards; receiving takes one from
// both sides, and so does leaving. A token in the channel and a parked waiter
// cannot be at the same time, hence a parked waiter is always counted in
// unclaimed, and the next signal sees it, wherever another signaller stalls.
//
// The select does the queueing and the cancelling: a waiter whose ctx ends either
// got a token, and passes it on, or left none behind.
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
		w.claim()
	}
}

// wakeAll signals every waiter that is registered.
func (w *waiters) wakeAll() { w.wake(1 << 30) }

// claim lowers unclaimed by one, and reports false if it is zero.
func (w *waiters) claim() bool {
	for {
		n := w.unclaimed.Load()
		if n <= 0 {
			return false
		}
		if w.unclaimed.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// leave takes the caller off the count without a token received. If every waiter
// has been claimed, one of the tokens is the caller's: it takes that, or leaves it
// to wake somebody in vain if it has not been sent yet.
func (w *waiters) leave() {
	if !w.claim() {
		select {
		case <-w.channel():
		default:
		}
	}
}

// await calls try until it succeeds, and parks in between. It returns ErrClosed
// when over reports, after a failed try, that no try can succeed any more, and
// ctx's error when ctx has ended. more reports whether one more try might succeed.
func (w *waiters) await(ctx context.Context, try, over, more func() bool) error {
	for range yields {
		runtime.Gosched()
		if try() {
			return nil
		}
	}
	c := w.channel()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.unclaimed.Add(1)
		step(waitJoined)
		if try() {
			w.leave()
			return nil
		}
		if over() {
			w.leave()
			return ErrClosed
		}
		w.waits.Add(1)
		select {
		case <-c:
			w.wakeups.Add(1)
		case <-ctx.Done():
			w.leave()
			return ctx.Err()
		}
		step(waitWoken)
		if err := ctx.Err(); err != nil {
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
