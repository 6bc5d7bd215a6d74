package workerpool

import (
	"sync/atomic"
	"time"
)

// search decides when an idle worker looks for work instead of sleeping, and for how
// long. It saves a task the wake-up of a sleeping worker; but a searching worker whose
// core another process, or another goroutine of this one, takes away keeps all tasks
// waiting that come until it has it back. Such a loss shows as two looks at the clock
// far apart: then there is no search for lossShare times as long, so that at most one
// task in lossShare meets a loss.
//
// All times are the pool's clock. Only the holder of tokenSearch calls look.
type search struct {
	spin  int64        // Config.Spin
	until atomic.Int64 // no search before
}

const (
	lostCore  = int64(200 * time.Microsecond) // two looks further apart
	lossShare = 128                           // p99 must not see losses
	maxPause  = int64(time.Second)
)

// may reports whether a search may begin at the time now.
func (s *search) may(now int64) bool { return s.spin > 0 && now >= s.until.Load() }

// look notes that a search that looked at the clock at last looks at it again at
// now. It reports whether the search has not lost its core between the two.
func (s *search) look(last, now int64) bool {
	lost := now - last
	if lost < lostCore {
		return true
	}
	s.until.Store(now + min(lost*lossShare, maxPause))
	return false
}

// The searcher looks at the clock once per this many looks at the queue.
const searchBatch = 8

// maxSearches ends a search by count where the clock does not: time stands still
// in a testing/synctest bubble while any goroutine can run.
const maxSearches = 512

// flooded reports whether more than a task in two microseconds has come in ns. Then the
// core went to submitters of this process, and what counts is how fast the queue is
// emptied, not how long one task waits (BenchmarkSubmit/workers=2/producers=2 and the
// comparison's 1us/workers=2: a pause of the search makes them 1.4 times as long).
func flooded(tasks uint64, ns int64) bool { return tasks > uint64(ns/int64(2*time.Microsecond)) }

// lookAround looks for work, yielding, from the time start on, for as long as
// c.search says; it reports whether it saw any.
func (c *core[T]) lookAround(start int64) bool {
	last, put := start, c.desk.q.puts()
	for i := range maxSearches {
		if c.desk.q.ready() {
			if i == 0 {
				return true
			}
			c.lost(last, c.clock.now(), put) // the task may have come during a loss
			return true
		}
		if i%searchBatch == searchBatch-1 {
			now := c.clock.now()
			if c.lost(last, now, put) || now-start >= c.search.spin {
				return false
			}
			last, put = now, c.desk.q.puts()
		}
		yield()
	}
	return false
}

// lost reports whether the searcher has lost its core between two looks at the clock,
// at the first of which put values had come, and has the search pause then.
func (c *core[T]) lost(last, now int64, put uint64) bool {
	return now-last >= lostCore && !flooded(c.desk.q.puts()-put, now-last) && !c.search.look(last, now)
}
