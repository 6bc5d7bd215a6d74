package connpool

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// Conn is a connection on loan from a [Pool]: a small value that may be copied,
// all of whose copies stand for the same loan. The loan ends with the first
// [Conn.Release], [Conn.Destroy] or [Conn.Hijack]; what is done with a copy after
// that is detected exactly, also when the connection is out on another loan by
// then, and panics.
//
// A loan belongs to one goroutine at a time. What the holder did to the
// connection happens before the next holder gets it.
type Conn[C any] struct {
	e    *entry[C]
	word uint64 // the entry's word as it was made by this loan
}

// The state of a connection is one word, so that borrowing and returning are one
// compare-and-swap each:
//
//	63                    4   3     2      1 0
//	+----------------------+-----+------+-------+
//	|         uses         |ended| mark | state |
//	+----------------------+-----+------+-------+
//
// uses grows by one with every loan. It is at once the exact count of acquires,
// the generation by which a stale Conn is found, and the janitor's clock: a word that
// did not change between two ticks belongs to a connection that was idle, or on
// loan, all that time.
//
// The mark makes the fast path's compare-and-swap fail, so that the slow path runs. On
// an idle connection it means: check it before the next loan. On a lent one it
// means: at its return, look at entry.reason and entry.suspect, and whether the loan is
// timed. ended means that the holder called Destroy or Hijack, so that a deferred Release
// may follow.
const (
	stateIdle = 0 // waits for a borrower
	stateLent = 1 // belongs to a borrower
	stateHeld = 2 // belongs to the pool: being checked or reset
	stateGone = 3 // has left the pool

	stateMask = 3
	mark      = 4
	ended     = 8
	lowBits   = stateMask | mark | ended
	useOne    = 16
	useShift  = 4
)

// entry is a connection of the pool. Entries are never used again for another
// connection, so a stale Conn cannot meet a stranger.
type entry[C any] struct {
	word  atomic.Uint64
	pool  *Pool[C]
	value C
	id    uint64

	stamp  atomic.Uint64                           // when it was last returned; for Order LIFO and FIFO
	stack  atomic.Pointer[loanStack]               // the sampled stack of a borrower
	cancel atomic.Pointer[context.CancelCauseFunc] // ends the Do that holds it

	lentAt atomic.Int64 // when a loan that is timed began, on the pool's clock

	born      time.Duration // on the pool's clock
	lifetime  time.Duration // fixed at birth, jitter included; 0: no limit
	idleLimit time.Duration // the same for IdleTimeout
	epoch     uint64        // limits.epoch when its dial began

	// Guarded by pool.mu.
	reason    Reason // why to close it when it comes back; 0: keep
	phase     State  // what it is held for
	marked    bool   // idle with the mark set: counted in pool.marked
	seen      uint64 // the word, without mark, at the janitor's last look
	seenAt    time.Duration
	idleFrom  time.Duration // since when it had been idle before the loan that seen is of
	idleFor   time.Duration // how long that was
	checkedAt time.Duration
	suspect   bool   // on loan, or held, to be checked before the next loan
	unused    uint64 // loans that ended by ReleaseUnused
	leaked    uint64 // the word of the loan last reported as leaked

	_ stats.Pad // the words of two entries share no line
}

// must returns the entry of c and panics when c is the zero Conn.
func (c Conn[C]) must(op string) *entry[C] {
	if c.e == nil {
		panic("connpool: " + op + " of a zero Conn")
	}
	return c.e
}

// Value returns the connection. It panics when the loan has ended: a connection
// that is used after its release may already belong to another holder.
func (c Conn[C]) Value() C {
	if c.e == nil || c.e.word.Load()&^mark != c.word {
		c.stale("Value")
	}
	return c.e.value
}

// Release ends the loan and gives the connection back. It never blocks and runs
// no user function but OnReleased: a Reset runs in the background before the
// connection is lent again. A connection that has outlived a limit, was evicted,
// or belongs to a closed pool is closed in the background instead.
//
// Release after the same loan's Destroy or Hijack does nothing, so that it can be
// deferred. A second Release of a loan panics, whoever made the first.
func (c Conn[C]) Release() {
	if c.e == nil {
		c.stale("Release")
		return // never reached, but without it the fast path spills what it has in registers
	}
	p := c.e.pool
	if p.gate.Load()&gateRelease == 0 && c.word < p.lastWord &&
		c.e.word.CompareAndSwap(c.word, c.word&^stateMask) {
		// Dekker's pattern with Pool.wait: a releaser goes idle, then reads the
		// gate; a waiter raises the gate, then looks for an idle connection. Both
		// are sequentially consistent, so one of them sees the other.
		if p.gate.Load()&gateSettle != 0 {
			p.settle()
		}
		return
	}
	c.releaseSlow()
}

// ReleaseUnused is Release for a holder that did not use the connection, but looked at
// it, after an AcquireAllIdle for instance. The loan does not count as a use in Info.Uses,
// MaxUses and UseTime. The idle time of the connection goes on as if the loan had not been
// (as far as ticks have seen it). No Reset runs.
func (c Conn[C]) ReleaseUnused() {
	e := c.must("ReleaseUnused")
	p := e.pool
	p.lock()
	from := e.seenAt // of the idle time, if no tick has seen the loan
	switch {
	case e.seen == c.word:
		from = e.idleFrom
	case e.seen != c.word-useOne-stateLent:
		from = p.core.clock.now()
	}
	if !e.takeBack(c.word) {
		p.unlock()
		c.stale("ReleaseUnused")
	}
	e.unused++
	p.core.n.unused++
	p.core.giveBack(e, false)
	if w := e.word.Load() &^ mark; w&stateMask == stateIdle {
		e.seen, e.seenAt = w, from
	}
	p.unlock()
}

// Destroy ends the loan and closes the connection in the background, because the
// holder found it broken. OnClosed gets cause, which may be nil. The connection's slot is
// free once its Close has returned. With a Check, the other connections are checked before
// their next loan: the cause may have broken them too. Destroy of an ended loan panics.
// Destroy of a closed pool's connection works like Release.
func (c Conn[C]) Destroy(cause error) {
	e := c.must("Destroy")
	p := e.pool
	c.timeUse()
	p.mu.Lock()
	if !e.takeBack(c.word) {
		p.mu.Unlock()
		c.stale("Destroy")
	}
	p.core.closing.retire(e, ByDestroy, cause)
	if p.cfg.Check != nil && cause != errUnfinished && cause != errGoexit {
		p.roster.suspect()
	}
	p.unlock()
}

// Hijack ends the loan and takes the connection out of the pool for good: the
// caller closes it, and its slot is free at once. A Close that waits for this loan
// is done with it. Hijack of an ended loan panics.
func (c Conn[C]) Hijack() C {
	e := c.must("Hijack")
	p := e.pool
	c.timeUse()
	p.mu.Lock()
	if !e.takeBack(c.word) {
		p.mu.Unlock()
		c.stale("Hijack")
	}
	p.core.hijack(e)
	p.unlock()
	return e.value
}

// Info describes the connection, as [Pool.Conns] does. It panics when the loan
// has ended.
func (c Conn[C]) Info() Info {
	e := c.must("Info")
	p := e.pool
	p.mu.Lock()
	if e.word.Load()&^mark != c.word {
		p.mu.Unlock()
		c.stale("Info")
	}
	i := e.infoLocked(p.core.clock.now())
	p.mu.Unlock()
	return i
}

// borrow lends e if it is idle and not marked.
func (e *entry[C]) borrow() (Conn[C], bool) {
	w := e.word.Load()
	if w&lowBits == stateIdle && e.word.CompareAndSwap(w, w+useOne+stateLent) {
		return Conn[C]{e, w + useOne + stateLent}, true
	}
	return Conn[C]{}, false
}

// seize moves e from idle to the pool's hands, and reports false if it is not idle, or was
// borrowed at this moment.
func (e *entry[C]) seize() bool {
	w := e.word.Load()
	return w&stateMask == stateIdle && e.word.CompareAndSwap(w, w&^lowBits|stateHeld)
}

// takeBack moves e from the loan that made word to the pool's hands, and reports
// false when that loan is over.
func (e *entry[C]) takeBack(word uint64) bool {
	for {
		w := e.word.Load()
		if w&^mark != word {
			return false
		}
		if e.word.CompareAndSwap(w, w&^lowBits|stateHeld) {
			return true
		}
	}
}

// setMark sets the mark on e's word if it is in the given state.
func (e *entry[C]) setMark(state uint64) bool {
	for {
		w := e.word.Load()
		if w&stateMask != state {
			return false
		}
		if w&mark != 0 || e.word.CompareAndSwap(w, w|mark) {
			return true
		}
	}
}

// endedByHolder reports whether the loan c ended with its own Destroy or Hijack.
func (c Conn[C]) endedByHolder() bool {
	w := c.e.word.Load()
	return w&ended != 0 && w>>useShift == c.word>>useShift
}

// stale panics with what happened to the loan c.
//
//go:noinline
func (c Conn[C]) stale(op string) {
	if c.e == nil {
		panic("connpool: " + op + " of a zero Conn")
	}
	w := c.e.word.Load()
	what := "was released"
	switch {
	case c.endedByHolder():
		what = "was destroyed or hijacked"
	case w>>useShift != c.word>>useShift:
		what = "was released and lent again since"
	}
	panic(fmt.Sprintf("connpool: %s of a connection that %s (connection %d, its loan %d)",
		op, what, c.e.id, c.word>>useShift))
}
