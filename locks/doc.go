// Package locks has locks that say what they do: a reader/writer lock
// ([RWMutex]), a spin lock for very short sections ([SpinMutex]) and locks by name
// ([Keyed]). They count exactly, at no extra atomic instruction, summarise how long
// goroutines waited, take a ctx or a timeout, and wait in a way that a
// testing/synctest bubble understands.
//
// # When to use it
//
// RWMutex wherever a sync.RWMutex is used, but for one case (see below): the methods
// are the same and the zero value is unlocked. It gains most where data is read by
// several threads at once and written in at most one of fifty accesses. SpinMutex for sections of some
// dozens of nanoseconds wanted by many goroutines. Keyed to work on one account,
// file or tenant at a time.
//
// # When not
//
// For a counter or a pointer use an atomic. Where a lock is never contended and
// nobody asks what it does, sync's are as good. And the one case in which an RWMutex
// does not stand in for a sync.RWMutex is a lock that testing/synctest bubbles share
// with each other or with goroutines outside, as a package-level lock may be: a
// waiter sleeps on a channel of its bubble, and nobody outside of that may wake it.
// Such a lock has to stay a sync.RWMutex.
//
// # Design
//
// An RWMutex is 32 bytes. One 64-bit word holds flags, the readers inside, and the
// reads and writes since the counts were last moved out, so that counting is part
// of the add or swap that locks. A lock that is read by several threads and
// seldom written becomes biased: its readers count themselves in and out on cache
// lines of their own ("striped"), and a writer closes the word and sums the lines
// until all readers have left. Frequent writes end bias.
// A writer first claims the lock, which keeps new readers out, then waits for
// those inside. A waiter spins briefly if that is likely to be enough, then sleeps
// on a channel. Readers that sleep are all let in when the lock is opened, and the
// next writer waits until they have left. Writers sleep in a first-in first-out
// queue; one at a time is woken to try again, so running writers may overtake it.
// After 1 ms, or after it was woken 100 times in vain, its turn is kept for it, and
// so is that of each that has waited as long behind it.
// A SpinMutex has writers only, 16 bytes, one addition each to lock and unlock, and
// a budget for spinning that it learns. A Keyed is a sharded hash table of
// RWMutexes with a count of users each; the lock of a key with one user is not
// touched, nor anything beyond one cache line of the shard.
//
// # Memory model
//
// As for sync: an unlock is synchronized before the locks that it lets in, and a
// failed Try, timeout or ctx synchronizes nothing. The race detector sees exactly
// these edges of an RWMutex and a SpinMutex: two readers that both write are
// reported. Of a Keyed it sees more, since every lock and unlock passes through the
// table: it misses races between readers there.
//
// # Cost
//
// Uncontended, RLock and RUnlock are two locked instructions, as in sync, and a look at
// the mode each; Lock and Unlock are two where sync.RWMutex has four. Nothing is allocated until a lock is
// contended, biased, given options or read 8192 times. Then it gets 400 bytes, 900
// when somebody has slept for it (a histogram of the waits, which gets 128 more for
// each further power of two that they span), and with bias 128 for each stripe; a
// SpinMutex gets 120 and 600. A sleeper allocates its channel. The clock is read only
// by goroutines that sleep, and for sampled holds.
//
// # Profiles
//
// The waits are in the runtime's block profile (see runtime.SetBlockProfileRate) as
// receives of channels, with the stack of the waiter. They are not in the mutex
// profile: the runtime offers no way to add to it. [WriteContention] names the sites
// that waited, without a profile, for locks that have opted in.
//
// # Finding deadlocks
//
// A build with the tag poundlock_debug reports locks that are taken in opposite
// orders, and waits beyond a limit, with the stacks of both sides: see [SetDebug].
package locks
