// Package batchchan turns a stream of single items into batches, loses none of
// them, and says why each batch was cut.
//
// # Which type
//
//   - [Batcher] collects items and gives them to a function in batches: exports,
//     inserts, writes. A [Producer] is one goroutine's fast lane into it.
//   - [Queue] is the same where receivers take the batches themselves.
//   - [Pipe] is a Batcher whose function has results, received at the other end.
//   - [Caller] lets many goroutines share calls to a backend; each gets its own
//     answer, or several to several requests.
//   - [Keyed] batches per key, one batch of a key at a time.
//   - [Chan] is a channel with a safe Close, contexts, bulk operations and
//     statistics.
//
// # When not
//
// If every item is handled alone and nothing is saved by handling several, a Go
// channel or a worker pool is simpler. If the items are already a slice, range
// over it. If what was accepted must survive a crash of the process, use a log or
// a broker: everything here is in memory. A Chan has no rendezvous; use a Go
// channel of capacity 0 for that.
//
// # Design in ten lines
//
// Senders append to one open buffer under a lock that is held for nanoseconds. A
// buffer that is full is swapped for an empty one, whole: no item is moved or
// passes through a channel. Full buffers wait in a list; one that is not full is
// cut only by a worker, when it takes it, because its first item has reached the
// age Linger, Flush or Close asked for it, or (Linger 0) simply because the worker
// is free. So there are no small batches in the list, and a batch that is due
// while all workers are busy goes on filling up. The clock is read once per batch;
// one timer per instance is armed lazily and never while nothing waits. Where
// batches are small and there is one worker, a buffer holds several; the worker
// takes those together and goes through them without the lock. A sender that finds
// no room waits in a FIFO; the goroutine that makes room moves the item in. Slices
// are cleared and used again. Workers start with the first item that needs one.
//
// # Guarantees
//
// An item whose send returned nil is processed exactly once, or handed to OnDrop
// by the overflow policy, or handed back by Shutdown. Every other send returned an
// error, and its item went nowhere. Items of one goroutine keep their order with
// one worker (and no Shards). Bounds on batches and on what waits are never
// exceeded. Nothing leaks a goroutine after Close.
//
// # Errors
//
// Where a method returns ctx.Err(), the error also matches the cause of ctx, if it has
// one: [errors.Is] finds both. Errors of a processor reach OnError, and a summary of
// them the next Flush, Close or Shutdown, as a [FailedError].
//
// # Memory model
//
// What a goroutine did before a send happens before the processing, or the
// receive, of that item. The processing of a batch happens before the return of a
// Flush or Close that waited for it, before Done is closed, before the Do that it
// answers returns, and, for one worker, before the next batch.
//
// # Time
//
// All waiting is on channels and timers of the instance, so code that uses this
// package can be tested with testing/synctest in virtual time. (PreciseLinger
// notices that yielding does not move such a clock, and uses the timer.)
//
// # Cost
//
// Per item, relative to sending it through a Go channel of capacity 4096 to one
// goroutine, on two cores: Send 0.3 to 0.4 in batches of 100, 0.5 to 0.7 in batches
// of 10; a Producer's Send 0.2 to 0.3 and 0.4; SendMany of 64 0.05 to 0.2; see
// go run -C bench . -run batchchan. Nothing is allocated per item. An idle instance has
// its workers parked and no timer running.
package batchchan
