// Package objpool keeps objects for reuse, with an exact bound and exact books.
//
// # When to use it
//
// Where making an object is expensive (large buffers, tables, encoders, anything with a
// costly constructor), and you want to know what the pool holds and how often it
// helps: a [Pool] retains at most Max objects, keeps them across garbage
// collections, checks and resets them, and counts every hit, miss, put and discard.
// [Bytes] pools byte slices in size classes, [Buffers] pools *bytes.Buffer, and a
// [Registry] names pools and looks at all of them.
//
// # When not
//
// For small objects that are cheap to make: since Go 1.26 the garbage collector makes
// short-lived small objects so cheap that pooling 64 bytes rarely pays. Where memory
// should go back by itself when a burst is over and nothing is to be counted,
// [sync.Pool] is the simpler choice. A Pool never limits how many objects are in use:
// for connections, where that matters, use package connpool.
//
// # Design
//
// Each P (the scheduler's processor) that uses a pool much owns a magazine, a stack
// of at most 16 objects. Get and Put work on it while the goroutine is pinned to the
// P: no lock, no atomic read-modify-write. Batches move to and from a central stack
// under a mutex. A P has a magazine after 64 visits to the central stack, and no P has
// one before the first 1024 visits, so a little used pool has all its objects in one
// place; at first a magazine holds one object, and twice as many at each visit after
// that.
//
// The bound is exact because every magazine's capacity is taken out of the central
// stack's; all of them never have more than a quarter of it, nor more than half of what
// is left when most objects are there: a pool that is as small as what it holds works
// on the central stack alone. What a P keeps in its magazine is out of the reach of
// others:
//
//   - A Get may make an object though other Ps keep some. It then asks them to give
//     back all they have, which they do at their next use of the pool. A P that does
//     not use the pool any more is relieved of it after the next garbage collection.
//   - A Put may be refused though other Ps have room, which they are asked for likewise.
//
// Neither goes on. A pool never makes more objects than are in use at once and 16 for
// each P, and it refuses none if Max is that many. A hand-over from goroutine to
// goroutine and bursts both hit always, once they have run for a moment. Objects of more than 256 bytes (values, not
// pointers) are all kept in the central stack.
//
// # Nobody is stopped
//
// Get, TryGet, Put, Do, Prewarm, Stats and the timer of IdleTimeout never stop the world,
// in no pattern of use. Clear, Resize, Trim and Close take everything back at once: they
// stop the world if any P keeps objects or room, once each, for some 10 to 100 µs.
//
// # Two engines
//
// What is said above is the pinned engine. It stands on three things that Go does not
// promise: that a goroutine can be pinned to its P, that reading the memory statistics
// stops the world, and that a garbage collection does. So it is built only with the
// versions of Go for which they were verified (1.26 and 1.27, compiler gc); a runtime
// that lacks the functions fails at link time.
//
// With any other version or compiler, in race builds, on 32 bits and with the build
// tag poundlock_portable, the portable engine is built: magazines belong to stripes
// with a mutex each, and goroutines choose one by the address of their stack. All
// else is the same, except that nothing ever stops the world, that no object and no
// room is out of reach, and that it takes two to four times as long. So a new version of Go
// breaks neither a pool nor a build. If you would rather have the build fail than lose
// the speed, build with the tag poundlock_pinned.
//
// # Memory model
//
// What happens before a Put happens before the Get that returns the object, and what
// happens before Clear, Resize or Close happens before OnDiscard.
//
// # Cost
//
// Get and Put together take 0.65 to 0.85 of the time that sync.Pool takes, alone or
// parallel, and 0.4 to 0.6 in bursts; they allocate nothing. Reset adds about 10 ns,
// Size puts a mutex in their place. The portable engine takes 1.5 to 2.9 of sync.Pool's
// time, and 1.0 to 1.5 in bursts: it locks two mutexes, and what that costs depends on
// the processor. Objects that one goroutine takes and another puts back go through the
// central stack in batches of 16, in 0.8 of sync.Pool's time.
//
// A retained object costs the space of a T, and up to three more while the pool grows
// and shrinks; a pool costs about 1 KiB, and 0.5 KiB and 16 T for each P that uses it
// much. Stats takes less than a microsecond and stops nobody.
package objpool
