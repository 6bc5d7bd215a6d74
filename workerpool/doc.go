// Package workerpool runs functions on a pool of goroutines that sizes itself.
//
// # When to use it
//
// Use a [Pool] when tasks are many and small, when their number in flight must be
// bounded, when they need an order of precedence, a deadline or a result, when a
// service must finish or hand back its work on shutdown, or when you want to know
// how long tasks wait and run.
//
// # When not
//
// A handful of goroutines that all run at once need only sync.WaitGroup or
// errgroup. Stages of a pipeline with a fixed number of long-lived goroutines are
// better served by those goroutines and a channel. Tasks of 100 µs and more gain
// no speed from a pool, only its bounds and its statistics.
//
// # Use
//
// [New] makes a pool from a [Config], whose zero value works. [Pool.Submit] hands
// over a func(); what happens when the queue is full is Config.Overflow's choice.
// [Pool.Do], [Go] and [Pool.Group] give tasks a ctx, a deadline, a priority, a
// result or error, and contain their panics; [TryGo] and [Group.TryGo] do not wait.
// [Map] streams. [FuncPool] runs one
// function on many arguments. [Pool.Limit] cuts off a part of the pool for one
// kind of work. [Pool.Close] and [Pool.Shutdown] drain; what they or the Overflow
// policy drop comes back, through Config.OnDrop and ShutdownError.
//
// # Design
//
// Tasks pass through a bounded lock-free ring (Vyukov's MPMC queue) whose tickets
// are also the counters of Stats. One control word holds the number of workers,
// of active and of idle ones, and a token that lets one wake-up be under way at a
// time, as in the Go scheduler: a submission loads that word and usually is done.
// A worker that runs dry looks for more work for Config.Spin, yielding, and then
// sleeps on a channel of its own; idle workers form a stack, so that those not
// needed stay at its bottom and end after Config.IdleTimeout. Workers that find
// more work than they take wake the next. An idle pool has no goroutine beside its
// sleeping workers and uses no CPU.
//
// # Nesting
//
// A task may wait for its own pool: by Do, Future.Wait, Group.Go and Group.Wait, a
// View's Close, a submission to a full queue, and whatever it does in Blocking. The
// pool recognises the task by its goroutine; one more worker runs while it waits, and
// one more task of the View whose place it holds. Such waits cannot deadlock, not
// even with MaxWorkers 1 or a view of one: each ends when what it waits for ends, or
// returns ErrNested at once where Config.MaxNested tasks wait already.
//
// Not recognised, and for the program to avoid, are: a wait through another goroutine
// (a task starts one that waits for the pool, and waits for that one by itself; use
// Blocking for the wait); two pools whose tasks wait for each other; a wait for a
// channel or lock that only another task of the same full pool would release, outside
// of Blocking; tasks of a Group with a Limit that wait for further tasks of that
// group. Pause waits for the tasks that run, so while it lasts a running task that
// waits for one in the queue waits for Resume, and Pause for it: give Pause a ctx
// that ends.
//
// # Fairness
//
// Tasks of one priority start in the order in which they were accepted, but for a Do
// from inside, which runs at once. Config.QueueSize and Config.Priorities say after
// how many tasks a submitter that waits for room is let in, and how often each
// priority has its turn.
//
// # Memory model
//
// What happens before a submission happens before the task. A task's end happens
// before the return of the Wait, Close, Do, Future.Wait or Group.Wait that waited
// for it.
//
// # Cost
//
// Submit allocates nothing and takes one compare-and-swap and one atomic store;
// the worker as much. By default one task in 16 is measured; Config.Timing
// switches that off or extends it to all. A bounded queue takes 32 bytes per place,
// a sleeping worker its goroutine (2 KiB of stack) and about 250 bytes. Statistics
// cost nothing otherwise. See the repository's bench directory for comparisons.
package workerpool
