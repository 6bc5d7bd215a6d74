// Package lockfree has first-in first-out queues for any number of producers and
// consumers that never make one goroutine wait for another that has stalled.
//
//   - [Queue] is unbounded and the default: a Michael–Scott list of rings.
//   - [Bounded] holds at most Cap values; enqueues can wait for room.
//   - [MSQueue] is the textbook queue of Michael and Scott, one node per value,
//     with a linearizable Len and batches that are one step.
//
// What can wait takes a ctx, and has a form that cannot: Dequeue and TryDequeue. An
// enqueue of a Queue or an MSQueue never waits, so it takes no ctx.
//
// # When to use it
//
// When many goroutines on several CPUs pass many small values, when producers must
// never block, when values come in batches, or when a consumer that the scheduler
// has stopped must not stop the others. Unlike a channel these queues can be
// unbounded, can be closed while others enqueue (they get [ErrClosed], not a
// panic), move batches, and count what happens ([Stats]).
//
// # When not
//
// To select over several sources, use channels: a queue cannot be part of a select.
// To hand over one value now and then, a channel is simpler and as fast. If all
// use is by one goroutine at a time, a slice is faster. If few goroutines pass
// values in large batches, or short operations rarely meet, a mutex and a slice are
// as fast and simpler. An unbounded queue whose producers are faster than its
// consumers grows until memory ends: use Bounded, or have the oldest values leave
// ([Bounded.EnqueueDropOldest]).
//
// # Design
//
// A ticket numbers each value. Producers take tickets from a ring's tail with
// compare-and-swap, consumers from its head, and two bits for each slot say whether
// it is empty, full, free or dead. Sixteen slots share a word, so that a batch takes
// its tickets with one compare-and-swap and publishes sixteen values with another. A
// consumer that finds the producer of its ticket stalled marks the slot dead and
// goes on; a producer that finds a slot still held by a stalled consumer does the
// same; the slot comes back into use when its owner does. A full ring is sealed and
// followed by one twice as large (32 to 4096 slots, at most 64 KiB), so a
// steady load allocates nothing. After a lost compare-and-swap a governor
// keeps the loser away for as long as the fight is hot. Waiting is an eventcount: a
// waiter registers, looks again, and parks on a channel of the queue; an enqueue
// only looks at one word to see that nobody waits.
//
// # Guarantees
//
// All operations are linearizable, and those that do not wait are lock-free: with a
// goroutine stopped at any step of any operation, the others go on. Values are
// dequeued in the order in which they were enqueued. What was accepted is delivered
// exactly once, also when Close comes in between. A value that left the queue is
// not kept alive by it; one that was taken while others peeked is kept until, for a
// moment, nobody peeks. In the terms of the Go memory model, an enqueue is
// synchronized before the dequeue that returns its value, and for a Bounded the
// n-th dequeue before the enqueue of the value n+Cap.
//
// Waiting operations park on channels that the queue makes, so code that uses the
// queues can be tested with testing/synctest. A queue belongs to one bubble: make
// it inside.
//
// # Cost
//
// An enqueue or dequeue is two locked instructions and no allocation; for a batch it
// is one, and one or two more for every sixteen values. MSQueue needs two to enqueue
// and one to dequeue, and a node of 16 bytes plus the value. A new queue takes under
// 2 KiB. One that has held many values at once keeps the largest ring that it came
// to use, up to 64 KiB, empty. Statistics come from the tickets and cost nothing.
//
// A goroutine that loses a race pauses for up to some microseconds, while the winner
// goes on alone: that is fast in the sum, but where goroutines do nothing else than to
// enqueue and dequeue, one or two operations in a hundred take that long.
package lockfree
