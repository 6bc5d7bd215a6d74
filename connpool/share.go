package connpool

import (
	"sync/atomic"
	"time"
)

// share is the part of a pool that deals with a limiter for it: it asks for slots and
// gives them back. Some calls of the limiter must not be made while Pool.mu is held, so
// share collects them for [share.settle]. The zero value is for a pool without a limiter,
// which never lacks a slot.
type share struct {
	limit *limiter // nil: none
	lacks bool     // a waiter needs a slot that the limiter does not have; guarded by Pool.mu
	dues  dues     // guarded by Pool.mu

	pool tenant        // the pool, as the limiter sees it
	used atomic.Uint64 // Keyed.clock at the last use of the key: the order of use
	name func() string // the key, for errors
	gate *gate         // has gateShort
	idle interface {   // the roster
		count(state uint64) int
	}

	// Guarded by limiter.mu.
	slots   int
	since   time.Duration // in line since then
	urgent  bool          // counted in limiter.urgent
	placed  uint64        // used, when it was placed in spenders
	inLine  int           // 1 + index in line; 0: not there
	spender int           // 1 + index in spenders; 0: not there
}

// tenant is what a limiter asks of a pool, with no lock held.
type tenant interface {
	// poke looks again at what waiters need.
	poke()
	// evictIdle closes one connection that has been idle for so long, and reports false if
	// there is none.
	evictIdle(why Reason, age time.Duration) bool
}

// dues are what a section under Pool.mu leaves to be done after it.
type dues struct {
	freed, kept int  // slots to give back; of them, promised ones
	unsettled   bool // the line has changed
	wantsOld    bool // a later call that does not wait wants the slot of a connection idle for long
}

// take takes a slot, and reports false if there is none. waits says that a waiter or a
// Warm needs it.
func (s *share) take(waits bool) bool { return s.limit == nil || s.limit.take(s, waits) }

// lack notes whether a waiter or a Warm needs a slot that the limiter does not have.
func (s *share) lack(lacks bool) {
	if s.lacks == lacks {
		return
	}
	s.lacks, s.dues.unsettled = lacks, true
	if !lacks {
		s.limit.leave(s)
	}
}

// free gives a slot back. promised says that the limiter has promised it to those in line.
func (s *share) free(promised bool) {
	if s.limit == nil {
		return
	}
	s.dues.freed++
	if promised {
		s.dues.kept++
	}
}

// wantOld has the limiter free the slot of a connection that was idle for long.
func (s *share) wantOld() { s.dues.wantsOld = true }

// takeDues returns what is to be done after the section under Pool.mu, and forgets it.
func (s *share) takeDues() dues {
	d := s.dues
	s.dues = dues{}
	return d
}

// settle does it; no lock may be held.
func (s *share) settle(d dues) {
	if d.freed > 0 {
		s.limit.give(s, d.freed, d.kept)
	}
	if d.freed > 0 || d.unsettled {
		s.limit.settle()
	}
	if d.wantsOld {
		s.limit.stealOld()
	}
}

// most returns the smaller of n and the limiter's bound.
func (s *share) most(n int) int {
	if s.limit != nil {
		n = min(n, s.limit.max)
	}
	return n
}

// explain adds to e how the limiter's slots are spent.
func (s *share) explain(e *WaitError) *WaitError {
	if s.limit != nil {
		e.MaxTotal, e.TotalOpen, e.Shares = s.limit.spent(5)
	}
	return e
}
