package workerpool

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/poundlock/poundlock/internal/enum"
)

// Special values of [Config.QueueSize].
const (
	// NoQueue makes every submission wait for a worker of its own: once Submit
	// returned, the task has one, and Stats().Active counts it. A worker is free a
	// moment after its task's end, which others may have seen before.
	NoQueue = -1
	// Unbounded makes the queue grow as needed; submissions never wait.
	Unbounded = math.MaxInt
)

const (
	defaultQueueSize   = 1024
	defaultIdleTimeout = 10 * time.Second
	defaultSpin        = 20 * time.Microsecond
	defaultMaxNested   = 4096
	maxQueueSize       = 1 << 26
	maxPriorities      = 64
	sampleEvery        = 16
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

var timingNames = []string{"Sampled", "Off", "Every"}

// String returns the name of the constant.
func (t Timing) String() string { return enum.String(t, timingNames) }

// MarshalText writes the name of the constant.
func (t Timing) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText accepts the names of the constants, in capital or small letters.
func (t *Timing) UnmarshalText(text []byte) error { return enum.Parse(t, text, timingNames) }

// Config says how a pool behaves. The zero value is ready to use.
type Config struct {
	// Name appears in Stats, in stall reports, in a PanicError and a ShutdownError,
	// and in profiles: as the pprof label "poundlock" of the workers. It may be empty.
	Name string

	// MinWorkers are started by New and kept while idle; at least 0 (the
	// default), at most MaxWorkers.
	MinWorkers int

	// MaxWorkers bounds the goroutines that run tasks; at most 1 048 575. 0 means
	// the default: 4 × GOMAXPROCS, at least 8 and at least MinWorkers.
	MaxWorkers int

	// QueueSize is how many accepted tasks may wait for a worker, per priority:
	// 0 means 1024, else 1 to 67 108 864 or one of [NoQueue] and [Unbounded]. A
	// bounded queue takes 32 bytes per task at once. Workers that are idle, or may
	// still be started, are room beside it; tasks whose ctx has ended are not in
	// the way: a submission that finds the queue full takes them out first, for
	// which the pool spends at most a sixteenth of its time.
	//
	// A submitter that waits for room lets others pass that find some, which keeps a
	// full queue busy, but not for long: it is let in after at most
	// 2 × (QueueSize + w) tasks have been taken from the queue, where w submitters
	// waited before it.
	QueueSize int

	// Overflow says what Submit does when the queue is full. Default Block.
	Overflow Overflow

	// IdleTimeout is how long workers above MinWorkers stay idle before they end:
	// once per IdleTimeout as many end as were idle all that time, so each lives
	// idle between one and two periods. 0 means 10 s, negative means for ever.
	IdleTimeout time.Duration

	// MaxNested bounds how many tasks may wait for the pool itself at a time: for a
	// Do, a Future or a Group, for room, or in Blocking. Each lets one more worker
	// run than MaxWorkers, so that those they wait for get to run. Beyond the bound
	// such calls return ErrNested instead of waiting. 0 means 4096, negative none.
	MaxNested int

	// MaxWaiters bounds how many submitters may wait for room at a time, those of
	// views among them; beyond it submissions return ErrFull at once. 0 means no
	// bound.
	MaxWaiters int

	// Spin is how long one worker without work looks for more, yielding its
	// processor all the time, before it sleeps; it saves tasks that come close
	// together the wake-up of a sleeping worker. 0 means 20 µs, negative switches it
	// off, at most 1 s. At most one worker of a pool does so at a time. Unused with
	// NoQueue.
	//
	// A worker that searches and loses its core to another process keeps the tasks
	// that come meanwhile waiting until it gets it back, for milliseconds, where a
	// sleeping one would be woken at once. The pool sees that by two looks at the
	// clock more than 200 µs apart, and then does not search for 128 times as long as
	// the core was lost, at most for 1 s. So about one task in 128 meets such a loss
	// in the long run; on a machine whose cores are always wanted by others there is
	// little search left, and the median is that of a pool that does not search.
	// Where the worst of a few hundred milliseconds counts, switch Spin off.
	Spin time.Duration

	// Priorities is the number of priority levels: 0 means 1, at most 64. Level 0
	// is the lowest and that of Submit. Each level has a queue of its own; a
	// worker takes from the highest level that has a task; but each 64th time the
	// pool takes from one of the lower levels, in turn, so that each level gets at
	// least one of any 64 × (Priorities - 1) takes. With NoQueue it must be 0 or 1.
	Priorities int

	// Timing says which tasks are measured. Default Sampled.
	Timing Timing

	// TaskTimeout bounds tasks run by Do, Go and Group that set no Timeout of
	// their own, from submission to end; their ctx ends with it. 0 means no bound.
	// Tasks without a ctx (Submit) cannot be bounded.
	TaskTimeout time.Duration

	// OnPanic is called, on the worker, after a task without a Future panicked.
	// Close and Wait wait for it. A panic in it is contained, counted in
	// Stats.HandlerPanics and printed. nil prints the panic and its stack with the
	// log package, at most five in 10 s; the next that is printed says how many
	// were left out.
	OnPanic func(*PanicError)

	// OnDrop is called after an accepted task was dropped: by DropOldest or
	// DropNewest in the submitting goroutine, by an expired Shutdown in that of its
	// caller. No lock is held. A panic in it is contained, counted in
	// Stats.HandlerPanics and printed. A runtime.Goexit in it ends that goroutine, after
	// the other tasks of the same Shutdown have been reported.
	OnDrop func(DroppedTask)

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
	if c.Overflow < Block || c.Overflow > CallerRuns {
		return bad("Overflow %d is not one of the policies", int(c.Overflow))
	}
	if c.Overflow == DropOldest && c.QueueSize == NoQueue {
		return bad("Overflow DropOldest needs a queue, but QueueSize is NoQueue")
	}
	if c.MaxNested == 0 {
		c.MaxNested = defaultMaxNested
	}
	c.MaxNested = max(c.MaxNested, 0)
	if c.MaxWaiters < 0 {
		return bad("MaxWaiters %d is negative", c.MaxWaiters)
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
