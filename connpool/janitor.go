package connpool

import (
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// janitor is the part of a pool that decides, at each tick, which connections have reached
// a limit of time. It is guarded by Pool.mu and told the time. It changes nothing but its
// own counts: core carries out the decisions.
type janitor struct {
	minIdle, minOpen, maxClosing         int
	checkAfterIdle, keepAlive, leakAfter time.Duration
	tick                                 time.Duration
	lookedAt                             time.Time // the last tick, on the wall clock

	// Of the tick under way.
	idle, open int // connections
	closes     int // how many more may be closed for their age

	refreshing int // checks for KeepAlive under way
}

// facts are what a decision about a connection depends on.
type facts struct {
	unchanged time.Duration // how long its word has not changed: idle or on loan
	unchecked time.Duration // the same, or how long ago its last check was, if that is less
	sinceSeen time.Duration // since its last check
	outlived  bool          // it is older than its lifetime
	idleLimit time.Duration // 0: none
}

// verdict is what is to be done with an idle connection.
type verdict uint8

const (
	leave    verdict = iota
	endLife          // close it: it is too old
	endIdle          // close it: it was idle for too long
	refresh          // check it now if few others are checked, so that the server keeps it
	distrust         // have it checked before its next loan
)

// begin begins a tick. late says that the process was frozen: so much time has passed
// since the last tick that connections which were fresh then are not fresh now, whatever
// their words say. wall is the time on the wall clock, which goes on while the machine
// sleeps; the monotonic clock does not.
func (j *janitor) begin(wall time.Time, open, idle, closing int) (late bool) {
	gap := wall.Sub(j.lookedAt)
	j.lookedAt, j.open, j.idle = wall, open, idle
	j.closes = j.maxClosing - closing
	if j.maxClosing < 0 {
		j.closes = open
	}
	return j.checkAfterIdle > 0 && gap >= duration.Add(j.checkAfterIdle, j.tick)
}

// judge decides about an idle connection.
func (j *janitor) judge(f facts) verdict {
	switch {
	case f.outlived && j.closes > 0:
		return endLife
	case f.idleLimit > 0 && f.unchanged >= f.idleLimit && j.closes > 0 && j.idle > j.minIdle && j.open > j.minOpen:
		return endIdle
	case j.keepAlive > 0 && f.unchecked >= j.keepAlive:
		return refresh
	case j.stale(f):
		return distrust
	}
	return leave
}

// stale reports whether an idle connection must be checked before its next loan.
func (j *janitor) stale(f facts) bool {
	return j.checkAfterIdle > 0 && f.unchecked >= j.checkAfterIdle ||
		j.checkAfterIdle < 0 && f.sinceSeen >= j.tick
}

// closed counts a connection that the pool has closed for its age.
func (j *janitor) closed() {
	j.idle--
	j.open--
	j.closes--
}

// leaks reports whether a loan that lasts so long is a suspected leak.
func (j *janitor) leaks(held time.Duration) bool { return j.leakAfter > 0 && held >= j.leakAfter }

// mayRefresh reports whether one more connection may be checked for KeepAlive: a pool
// whose connections all go idle at once must not be busy with itself.
func (j *janitor) mayRefresh(open int) bool { return j.refreshing < max(open/4, 1) }
