package workerpool

import (
	"fmt"
	"math"
	"runtime"
	"time"
)

// Special values of [Config.QueueSize].
const (
	// NoQueue makes every submission wait for a worker of its own: once Submit
	// returned, the task has one, and Stats().Active counts it.
	NoQueue = -1
	// Unbounded makes the queue grow as needed; submissions never wait.
	Unbounded = math.MaxInt
)

const (
	defaultQueueSize   = 1024
	defaultIdleTimeout = 10 * time.Second
	defaultSpin        = 20 * time.Microsecond
	maxQueueSize       = 1 << 26
	maxPriorities      = 64
	sampleEvery        = 16
)

// Policy says what a submission does when the queue is full (or, with [NoQueue],
// when every worker is busy).
type Policy int

const (
	// Block waits for room. This is the default.
	Block Policy = iota
	// Reject returns ErrFull.
	Reject
	// CallerRuns runs the task in the submitting goroutine before Submit returns.
	CallerRuns
	// DiscardOldest makes room by discarding the task that has waited longest in
	// the same queue. A discarded task that has a Future or a Do waiting for it
	// ends with ErrDiscarded; others are only counted.
	DiscardOldest
)

// Timing says which tasks have their queue wait and run time measured. A
// measured task costs three clock reads, about 100 ns.
type Timing int

const (
	// Sampled measures one task in 16. This is the default.
	Sampled Timing = iota
	// Off measures none; Stats().QueueWait and RunTime stay empty.
	Off
	// Every measures all.
	Every
)

// Config says how a pool behaves. The zero value is ready to use.
type Config struct {
	// Name appears in the pool's errors and reports. It may be empty.
	Name string

	// MinWorkers are started by New and kept while idle; at least 0 (the
	// default), at most MaxWorkers.
	MinWorkers int

	// MaxWorkers bounds the goroutines that run tasks; at most 1 048 575. 0 means
	// the default: 4 × GOMAXPROCS, at least 8 and at least MinWorkers.
	MaxWorkers int

	// QueueSize is how many accepted tasks may wait for a worker, per priority:
	// 0 means 1024, else 1 to 67 108 864 or one of [NoQueue] and [Unbounded]. A
	// bounded queue takes 32 bytes per task at once.
	QueueSize int

	// OnFull says what Submit does when the queue is full. Default Block.
	OnFull Policy

	// IdleTimeout is how long workers above MinWorkers stay idle before they end:
	// once per IdleTimeout as many end as were idle all that time, so each lives
	// idle between one and two periods. 0 means 10 s, negative means for ever.
	IdleTimeout time.Duration

	// Spin is how long one worker without work looks for more, yielding its
	// processor all the time, before it sleeps; it saves tasks that come close
	// together the wake-up of a sleeping worker (50 µs and more on an idle
	// machine). 0 means 20 µs, negative switches it off, at most 1 s. At most one
	// worker of a pool does so at a time. Unused with NoQueue.
	//
	// It shortens the median and can lengthen the tail: a searching worker that
	// loses its core to another process keeps the next task waiting until it gets
	// it back, for milliseconds, where a sleeping one would be woken at once.
	// Switch it off where cores are scarce and the tail matters more.
	Spin time.Duration

	// Priorities is the number of priority levels: 0 means 1, at most 64. Level 0
	// is the lowest and that of Submit. Each level has a queue of its own; a
	// worker takes from the highest level that has a task, and every 64th time
	// from the lowest. With NoQueue it must be 0 or 1.
	Priorities int

	// Timing says which tasks are measured. Default Sampled.
	Timing Timing

	// TaskTimeout bounds tasks run by Do, Go and Group that set no Timeout of
	// their own, from submission to end; their ctx ends with it. 0 means no bound.
	// Tasks without a ctx (Submit) cannot be bounded.
	TaskTimeout time.Duration

	// OnPanic is called, on the worker, after a task without a Future panicked.
	// Close and Wait wait for it. A panic in it is contained and counted as
	// another. nil prints the panic and its stack with the log package.
	OnPanic func(*PanicError)

	// Monitor, if set, samples the pool regularly. See [Monitor].
	Monitor *Monitor
}

func (c *Config) prepare() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("workerpool: "+format, args...)
	}
	if c.MinWorkers < 0 {
		return bad("MinWorkers %d is negative", c.MinWorkers)
	}
	if c.MaxWorkers < 0 {
		return bad("MaxWorkers %d is negative", c.MaxWorkers)
	}
	if c.MaxWorkers == 0 {
		c.MaxWorkers = max(4*runtime.GOMAXPROCS(0), 8, c.MinWorkers)
	}
	if err := checkWorkers(c.MinWorkers, c.MaxWorkers); err != nil {
		return err
	}
	switch {
	case c.QueueSize == 0:
		c.QueueSize = defaultQueueSize
	case c.QueueSize == NoQueue, c.QueueSize == Unbounded:
	case c.QueueSize < 0:
		return bad("QueueSize %d is negative and not NoQueue", c.QueueSize)
	case c.QueueSize > maxQueueSize:
		return bad("QueueSize %d exceeds %d and is not Unbounded", c.QueueSize, maxQueueSize)
	}
	if c.OnFull < Block || c.OnFull > DiscardOldest {
		return bad("OnFull %d is not a Policy", c.OnFull)
	}
	if c.OnFull == DiscardOldest && c.QueueSize == NoQueue {
		return bad("OnFull DiscardOldest needs a queue, but QueueSize is NoQueue")
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = defaultIdleTimeout
	}
	if c.Spin == 0 {
		c.Spin = defaultSpin
	}
	if c.Spin > time.Second {
		return bad("Spin %v exceeds 1s", c.Spin)
	}
	if c.Priorities == 0 {
		c.Priorities = 1
	}
	if c.Priorities < 0 || c.Priorities > maxPriorities {
		return bad("Priorities %d is not in 0..%d", c.Priorities, maxPriorities)
	}
	if c.Priorities > 1 && c.QueueSize == NoQueue {
		return bad("Priorities %d needs a queue, but QueueSize is NoQueue", c.Priorities)
	}
	if c.Timing < Sampled || c.Timing > Every {
		return bad("Timing %d is not a Timing", c.Timing)
	}
	if c.TaskTimeout < 0 {
		return bad("TaskTimeout %v is negative", c.TaskTimeout)
	}
	if c.Monitor != nil {
		return c.Monitor.check()
	}
	return nil
}

func checkWorkers(minWorkers, maxW int) error {
	switch {
	case minWorkers < 0:
		return fmt.Errorf("workerpool: MinWorkers %d is negative", minWorkers)
	case maxW < 1:
		return fmt.Errorf("workerpool: MaxWorkers %d is below 1", maxW)
	case maxW > workerCap:
		return fmt.Errorf("workerpool: MaxWorkers %d exceeds %d", maxW, workerCap)
	case minWorkers > maxW:
		return fmt.Errorf("workerpool: MinWorkers %d exceeds MaxWorkers %d", minWorkers, maxW)
	}
	return nil
}
