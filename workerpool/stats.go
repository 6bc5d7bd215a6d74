package workerpool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// Latency summarises measured durations; see [Timing] for which tasks are
// measured, each standing for those that are not. Quantiles and the mean are within 3.2 % of the true values.
type Latency = stats.Latency

// Stats is what a pool has done and is doing. The counters are exact whenever no
// task is being accepted, started or ended; otherwise they lag by the tasks in
// those few instructions, never run ahead, and never go back; a part is never more than
// its whole. At rest
//
//	Submitted = Queued + Started + Dropped
//	Started   = Active + Completed + Failed + Canceled + Timeouts
type Stats struct {
	Name string `json:"name,omitempty"` // Config.Name

	Workers    int `json:"workers"`     // live workers
	Active     int `json:"active"`      // workers that run a task or are about to take one
	Idle       int `json:"idle"`        // Workers - Active: asleep or looking for work
	HighWater  int `json:"high_water"`  // most Workers ever
	MinWorkers int `json:"min_workers"` // as configured or last resized
	MaxWorkers int `json:"max_workers"` // as configured or last resized
	Queued     int `json:"queued"`      // accepted tasks that no worker has taken yet; tasks of views may exceed QueueCap
	QueueCap   int `json:"queue_cap"`   // room for such tasks, over all priorities; NoQueue and Unbounded as configured

	Waiters   int `json:"waiters"`    // submitters that wait for room, those of views among them
	Nested    int `json:"nested"`     // tasks that wait for the pool itself; each lets one more worker run
	MaxNested int `json:"max_nested"` // as configured

	Submitted     uint64 `json:"submitted"`      // tasks accepted
	Started       uint64 `json:"started"`        // of these, taken by a worker or run by the caller
	Completed     uint64 `json:"completed"`      // of these, ended without error
	Failed        uint64 `json:"failed"`         // of these, returned an error, panicked or called Goexit
	Panics        uint64 `json:"panics"`         // of Failed, those that panicked
	Goexits       uint64 `json:"goexits"`        // of Failed, those that called runtime.Goexit
	Timeouts      uint64 `json:"timeouts"`       // tasks whose deadline had passed when their turn came: not run
	RunTimeouts   uint64 `json:"run_timeouts"`   // of Completed and Failed, those whose Timeout passed while they ran
	Canceled      uint64 `json:"canceled"`       // tasks whose ctx was done when their turn came: not run
	Dropped       uint64 `json:"dropped"`        // accepted tasks dropped by the Overflow policy or an expired Shutdown
	Rejected      uint64 `json:"rejected"`       // submissions refused with ErrFull: not accepted
	CallerRan     uint64 `json:"caller_ran"`     // of Completed and Failed, those run by their submitter
	Waits         uint64 `json:"waits"`          // submissions that had to wait for room
	NestedRefused uint64 `json:"nested_refused"` // waits of the pool's own tasks refused with ErrNested
	Wakes         uint64 `json:"wakes"`          // sleeping workers woken

	HandlerPanics uint64 `json:"handler_panics"` // panics of OnPanic, OnDrop and the Monitor's functions

	QueueWait   Latency   `json:"queue_wait"`  // from acceptance to start
	RunTime     Latency   `json:"run_time"`    // from start to end
	Utilization float64   `json:"utilization"` // Active / Workers, 0..1
	QueueUsage  float64   `json:"queue_usage"` // Queued / QueueCap, 0..1; 0 without a bounded queue
	LastTask    time.Time `json:"last_task"`   // when the latest measured task ended; zero before
}

// books are the counters that the tickets of the queue do not already give. All
// are off the common path.
type books struct {
	failed, panics, goexits, canceled, timeouts atomic.Uint64
	runTimeouts, rejected, callerRan            atomic.Uint64
	waits                                       atomic.Uint64
	last                                        atomic.Int64
	wait, run                                   *stats.Histogram // nil with Timing Off
	mu                                          sync.Mutex
	submitted, started, completed               uint64 // guarded by mu; highest reported
}

// callerEnded books a task that its submitter ran. It does so in one step, because no
// active worker says meanwhile that the task may not have completed.
func (b *books) callerEnded(how fateKind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.callerRan.Add(1)
	b.notReturned(how)
}

// notReturned books a task that panicked or called runtime.Goexit.
func (b *books) notReturned(how fateKind) {
	switch how {
	case exited:
		b.goexits.Add(1)
	case panicked:
		b.panics.Add(1)
	}
}

// end books a task that will not run.
func (b *books) end(how ending) {
	if how == timedOut {
		b.timeouts.Add(1)
	} else {
		b.canceled.Add(1)
	}
}

// endings fills in how tasks ended, and returns how many have failed or did not run.
func (b *books) endings(st *Stats) uint64 {
	st.Panics, st.Goexits = b.panics.Load(), b.goexits.Load()
	st.Failed = b.failed.Load() + st.Panics + st.Goexits
	st.Timeouts, st.Canceled = b.timeouts.Load(), b.canceled.Load()
	return st.Failed + st.Timeouts + st.Canceled
}

// stats reads in an order that makes every part at most its whole: first how tasks ended,
// which were all taken before; then how many tasks were taken; then how many workers are
// active (a task that left the queue before the read of those that were taken is active
// or has ended); and last how many have ended by then, which did not complete.
func (c *core[T]) stats() Stats {
	b := &c.books
	wait, run := b.wait.Latency(), b.run.Latency()
	b.mu.Lock()
	defer b.mu.Unlock()

	var ended Stats
	b.endings(&ended)
	runTimeouts := b.runTimeouts.Load()
	c.desk.mu.Lock()
	taken, accepted := c.desk.q.counts()
	dropped := c.desk.q.dropped.Load()
	st := Stats{
		Name:   c.cfg.Name,
		Queued: int(accepted - taken), QueueCap: c.cfg.QueueSize, Dropped: dropped,
		Failed: ended.Failed, Panics: ended.Panics, Goexits: ended.Goexits,
		Timeouts: ended.Timeouts, Canceled: ended.Canceled,
		Rejected: b.rejected.Load(), Waits: b.waits.Load(), Waiters: int(c.waiting.Load()),
		HandlerPanics: c.reports.panics.Load(), QueueWait: wait, RunTime: run,
	}
	c.desk.crew.stats(&st)
	c.desk.mu.Unlock()

	callerRan := b.callerRan.Load()
	started := taken - min(dropped, taken) + callerRan
	notCompleted := b.endings(&ended) + uint64(st.Active)
	b.submitted = max(b.submitted, accepted+callerRan)
	b.started = max(b.started, started)
	b.completed = max(b.completed, started-min(notCompleted, started))
	st.Submitted, st.Started, st.Completed = b.submitted, b.started, b.completed
	st.RunTimeouts = min(runTimeouts, st.Completed+st.Failed)
	st.CallerRan = min(callerRan, st.Completed+st.Failed)

	if c.cfg.QueueSize > 0 && !c.desk.grows {
		st.QueueCap *= len(c.desk.q.levels)
		st.QueueUsage = min(stats.Ratio(uint64(st.Queued), uint64(st.QueueCap)), 1)
	}
	if l := b.last.Load(); l != 0 {
		st.LastTask = c.clock.base.Add(time.Duration(l))
	}
	return st
}
