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
// result or error, and contain their panics. [Map] streams. [FuncPool] runs one
// function on many arguments. [Pool.Limit] cuts off a part of the pool for one
// kind of work. [Pool.Close] and [Pool.Shutdown] drain.
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
// A task that waits for its own pool (a nested Submit to a full queue, Do,
// Future.Wait, Group.Wait) is recognised, and another worker takes its place
// meanwhile, so nesting cannot deadlock, not even with MaxWorkers 1.
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
