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
// those few instructions, never run ahead, and never go back. At rest
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

// end books a task that will not run.
func (b *books) end(how ending) {
	if how == timedOut {
		b.timeouts.Add(1)
	} else {
		b.canceled.Add(1)
	}
}

// stats reads in an order that makes every part at most its whole: first how many tasks
// were taken, then how many workers are active (a task that left the queue before the
// first read is active or has ended), and last how tasks ended.
func (c *core[T]) stats() Stats {
	b := &c.books
	b.mu.Lock()
	defer b.mu.Unlock()

	c.desk.mu.Lock()
	taken, accepted := c.desk.q.counts()
	dropped := c.desk.q.dropped.Load()
	st := Stats{
		Name:   c.cfg.Name,
		Queued: int(accepted - taken), QueueCap: c.cfg.QueueSize, Dropped: dropped,
	}
	c.desk.crew.stats(&st)
	c.desk.mu.Unlock()

	callerRan := b.callerRan.Load()
	st.Failed, st.Panics, st.Goexits = b.failed.Load(), b.panics.Load(), b.goexits.Load()
	st.Timeouts, st.Canceled, st.RunTimeouts = b.timeouts.Load(), b.canceled.Load(), b.runTimeouts.Load()
	st.Rejected, st.CallerRan, st.Waits = b.rejected.Load(), callerRan, b.waits.Load()
	st.HandlerPanics, st.Waiters = c.reports.panics.Load(), int(c.waiting.Load())
	st.QueueWait, st.RunTime = b.wait.Latency(), b.run.Latency()
	st.Failed += st.Panics + st.Goexits
	st.Submitted = accepted + callerRan
	st.Started = taken - min(dropped, taken) + callerRan
	ended := st.Failed + st.Timeouts + st.Canceled
	notCompleted := ended + uint64(st.Active)
	st.Completed = st.Started - min(notCompleted, st.Started)

	b.submitted = max(b.submitted, st.Submitted)
	b.started = max(b.started, st.Started)
	b.completed = max(b.completed, st.Completed)
	st.Submitted, st.Started, st.Completed = b.submitted, b.started, b.completed

	if c.cfg.QueueSize > 0 && !c.desk.grows {
		st.QueueCap *= len(c.desk.q.levels)
		st.QueueUsage = min(stats.Ratio(uint64(st.Queued), uint64(st.QueueCap)), 1)
	}
	if l := b.last.Load(); l != 0 {
		st.LastTask = c.clock.base.Add(time.Duration(l))
	}
	return st
}
