package batchchan

import "time"

// engine is what Batcher, Queue, Pipe and Caller have in common: the senders and
// takers, who wait, and the calls of the user's functions. What they do next core
// decides, under mu.
type engine[T any] struct {
	// What Send touches, on one line: first, because the allocator aligns that.
	mu   spinLock
	core core[T] // guarded by mu, but for what is only read

	// Set by newEngine, then only read.
	executor[T]
	timing
	process  func(*batch[T]) // nil for the pull side
	yields   int             // of a taker before it parks
	done     chan struct{}   // closed when nothing is left and nobody works
	helper   chan struct{}   // not nil: holds one token while a goroutine runs a batch for a sender, see Pipe
	freeWait waiterPool[T]
}

func newEngine[T any](cfg Config[T], process func(*batch[T])) *engine[T] {
	g := &engine[T]{process: process, done: make(chan struct{})}
	g.executor.init(cfg)
	g.core.init(&g.cfg, process != nil)
	g.core.alarm.ring = g.onAlarm
	g.mu.init(true)
	return g
}

// clock is an instance's monotonic clock: it counts from when the instance was made.
type clock struct{ base time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() time.Duration { return time.Since(c.base) }

// now returns the instance's time.
func (g *engine[T]) now() time.Duration { return g.core.clock.now() }
