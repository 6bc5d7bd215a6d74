// Package locks has locks that say what they do: a reader/writer lock
// ([RWMutex]), a spin lock for very short sections ([SpinMutex]) and locks by name
// ([Keyed]). They count exactly, at no extra atomic instruction, summarise how long
// goroutines waited, take a ctx or a timeout, and wait in a way that a
// testing/synctest bubble understands.
//
// # When to use it
//
// RWMutex wherever a sync.RWMutex is used: the methods are the same and the zero
// value is unlocked. It gains most where data is read by several threads at once
// and written in at most one of fifty accesses. SpinMutex for sections of some
// dozens of nanoseconds wanted by many goroutines. Keyed to work on one account,
// file or tenant at a time.
//
// # When not
//
// For a counter or a pointer use an atomic. Where a lock is never contended and
// nobody asks what it does, sync's are as good. A lock of this package must not be
// contended by goroutines inside and outside of a synctest bubble at once.
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
// those inside: it cannot starve. Who must wait spins briefly if that is likely to
// be enough, then sleeps on a channel in a first-in first-out queue. One sleeper
// at a time is woken to try again, so running goroutines may overtake it; after
// 1 ms the lock is handed to it.
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
// Uncontended, RLock and RUnlock are two atomic instructions, as in sync; Lock and
// Unlock are two where sync.RWMutex has four. Nothing is allocated until a lock is
// contended, biased, given options or read 8192 times; then it gets about 500
// bytes, with bias 128 more for each stripe. A sleeper allocates its channel. The
// clock is read only by those who sleep, and for sampled holds.
package locks
