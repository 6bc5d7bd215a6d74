// Package objpool keeps objects for reuse, with an exact bound and exact books.
//
// # When to use it
//
// Where making an object is dear (large buffers, tables, encoders, anything with a
// costly constructor), and one wants to know what the pool holds and how often it
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
// P: no lock, no atomic read-modify-write. Half magazines move to and from a central
// stack under a mutex. A P earns its magazine by 64 visits to the central stack, so a
// little used pool has all its objects in one place.
//
// The bound is exact because every magazine's capacity is taken out of the central
// stack's. A Get that finds nothing while other magazines hold objects, and a Put
// that finds no room while they have some, gather everything back: this stops the
// world for some 10 to 100 µs, as Clear, Resize, Trim and Close do, and happens less
// and less where it does not pay. So no Get misses while objects lie idle, and no Put
// is refused while there is room.
//
// # Two engines
//
// What is said above is the pinned engine. It stands on two things that Go does not
// promise: that a goroutine can be pinned to its P, and that reading the memory
// statistics stops the world. So it is built only with the versions of Go for which
// both were verified (1.26 and 1.27, compiler gc); a runtime that lacks the functions
// fails at link time.
//
// With any other version or compiler, in race builds, on 32 bits and with the build
// tag poundlock_portable, the portable engine is built: magazines belong to stripes
// with a mutex each, and goroutines choose one by the address of their stack. All
// else is the same, except that nothing stops the world, and that it takes about
// twice the time. A new version of Go hence never breaks a pool nor a build. Who
// would rather have the build fail than lose the speed builds with the tag
// poundlock_pinned.
//
// # Memory model
//
// What happens before a Put happens before the Get that returns the object, and what
// happens before Clear, Resize or Close happens before OnDiscard.
//
// # Cost
//
// Get and Put together take 0.75 to 0.95 of the time that sync.Pool takes, alone or
// parallel, and 0.5 to 0.6 in bursts; they allocate nothing. Reset adds about 10 ns,
// Size puts a mutex in their place. The portable engine takes 1.4 to 1.6 of
// sync.Pool's time, and 0.9 in bursts. Objects that one goroutine takes and another
// puts back go through the central stack: there a pool is about as fast as sync.Pool,
// and a plain slice under a mutex is faster.
//
// A retained object costs the space of a T; a pool costs about 1 KiB and 0.5 KiB for
// each P that uses it much. Stats takes less than a microsecond and stops nobody.
package objpool
