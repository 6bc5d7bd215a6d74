package locks

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// keyedShard is a part of a Keyed's table: the entry of one key in place, a hash
// table of entries chained through themselves for the keys beside it, and entries
// kept for reuse, so that locking allocates nothing.
//
// Everything in it but the entries' locks is guarded by mu, which nobody holds
// while it waits for an entry.
type keyedShard[K comparable] struct {
	mu     sync.Mutex
	n      int    // entries in buckets
	writes uint64 // acquired by the first user of an entry

	// first is used whenever it is free. With the fields above, and keys of up to
	// 16 bytes, the first 64 bytes of the shard are all that locking a key with no
	// other user touches (BenchmarkKeyed/keys=16: half the time of an entry
	// elsewhere).
	first keyedEntry[K]

	reads   uint64           // as writes
	later   acquisitions     // by all others
	buckets []*keyedEntry[K] // a power of two of them
	free    *keyedEntry[K]   // chained by next, with the length of the chain in hash

	gone keyedSums // of entries that have vanished
	top  topKeys[K]

	_ [8]byte // to 256 bytes with string keys, on 64-bit machines
}

// keyedEntry is the lock of one key. It is in use while refs is above zero.
type keyedEntry[K comparable] struct {
	hash uint64
	gen  uint64 // changes when a writer's or the last user's hold ends
	key  K
	refs int32 // users: holders and waiters

	// sole is how the only user holds it, as long as no other has come: then rw is
	// made to say so (share) and counts from there on.
	sole purpose

	next   *keyedEntry[K]
	rw     RWMutex
	waited atomic.Int64 // ns; above 0 if any user had to wait
}

type acquisitions struct{ writes, reads atomic.Uint64 }

type purpose int8

const (
	forNothing purpose = iota
	forWriting
	forReading
)

const (
	minBuckets = 8
	maxFree    = 64 // entries kept per shard
)

// pin finds or makes the entry of key and adds the caller to its users, so that
// it stays. If it had to be made it comes locked for the purpose, and pin reports
// that.
func (k *Keyed[K]) pin(key K, p purpose) (*keyedShard[K], *keyedEntry[K], bool) {
	t := k.table()
	return t.pin(key, t.hash(key), p)
}

// hash panics if key cannot be hashed.
func (t *keyedTable[K]) hash(key K) uint64 { return maphash.Comparable(t.seed, key) }

func (t *keyedTable[K]) pin(key K, h uint64, p purpose) (*keyedShard[K], *keyedEntry[K], bool) {
	sh := &t.shards[h&t.mask]
	sh.lock()
	e := sh.find(key, h)
	if e != nil {
		e.share()
		e.refs++
		sh.mu.Unlock()
		return sh, e, false
	}
	if e = &sh.first; e.refs != 0 {
		e = sh.insert(h)
	}
	switch e.key, e.hash, e.refs, e.sole = key, h, 1, p; p {
	case forWriting:
		sh.writes++
	case forReading:
		sh.reads++
	}
	if debugEnabled {
		e.rw.debug.hush()
	}
	if p == forNothing {
		e.rw.store(unbiasable)
	}
	sh.mu.Unlock()
	return sh, e, p != forNothing
}

// acquired counts n acquisitions that pin has not. It is called when they have
// succeeded: the counts only grow.
func (sh *keyedShard[K]) acquired(p purpose, n int) {
	if p == forWriting {
		sh.later.writes.Add(uint64(n))
	} else {
		sh.later.reads.Add(uint64(n))
	}
}

// A shard is held for some 20 ns, much less than sync.Mutex spins before it looks
// again, which was half of the time of BenchmarkKeyed/keys=16. Of 4 × 8, 8 × 2,
// 8 × 6, 16 × 1 and 32 × 2 PAUSEs, 16 × 1 took the least, by up to a fifth.
const (
	shardTries = 16
	shardPause = 1
)

// lock locks mu.
func (sh *keyedShard[K]) lock() {
	if !sh.mu.TryLock() {
		sh.lockSlow()
	}
}

func (sh *keyedShard[K]) lockSlow() {
	for i := 0; i < shardTries && rt.CanSpin(0); i++ {
		rt.ProcYield(shardPause)
		if sh.mu.TryLock() {
			return
		}
	}
	sh.mu.Lock()
}

// find returns the entry of key, or nil.
func (sh *keyedShard[K]) find(key K, h uint64) *keyedEntry[K] {
	if e := &sh.first; e.refs != 0 && e.hash == h && e.key == key {
		return e
	}
	if sh.n == 0 {
		return nil
	}
	for e := *sh.bucket(h); e != nil; e = e.next {
		if e.hash == h && e.key == key {
			return e
		}
	}
	return nil
}

// share puts into e's lock how its only user holds it.
func (e *keyedEntry[K]) share() {
	switch e.sole {
	case forWriting:
		e.rw.store(unbiasable | wLock | oneWrite)
	case forReading:
		e.rw.store(unbiasable | oneReader | oneRead)
	}
	e.sole = forNothing
}

func (sh *keyedShard[K]) bucket(h uint64) **keyedEntry[K] {
	return &sh.buckets[(h>>32)&uint64(len(sh.buckets)-1)]
}

// insert puts an entry for a key with hash h into the table.
func (sh *keyedShard[K]) insert(h uint64) *keyedEntry[K] {
	if sh.n >= len(sh.buckets) {
		sh.resize(max(2*len(sh.buckets), minBuckets))
	}
	e := sh.free
	if e != nil {
		sh.free = e.next
	} else {
		e = new(keyedEntry[K])
	}
	b := sh.bucket(h)
	e.next, *b = *b, e
	sh.n++
	return e
}

func (sh *keyedShard[K]) resize(n int) {
	old := sh.buckets
	sh.buckets = make([]*keyedEntry[K], n)
	for _, e := range old {
		for e != nil {
			next, b := e.next, sh.bucket(e.hash)
			e.next, *b = *b, e
			e = next
		}
	}
}

// unpin takes back a pin whose purpose failed.
func (sh *keyedShard[K]) unpin(e *keyedEntry[K]) {
	sh.lock()
	if e.refs--; e.refs == 0 {
		sh.remove(e)
	}
	sh.mu.Unlock()
}

// release ends a hold of e.
func (sh *keyedShard[K]) release(e *keyedEntry[K], gen uint64, reader bool) {
	sh.lock()
	if e.refs == 0 || e.gen != gen {
		sh.mu.Unlock()
		fatal(errKeyedUnlock)
	}
	switch e.refs--; {
	case e.refs == 0:
		// Nobody else knows of e: its lock need not be unlocked to be forgotten.
		sh.remove(e)
	case reader:
		e.rw.RUnlock()
	default:
		// Before the unlock: the next writer reads gen without mu. And the unlock
		// with mu: the others might finish with e, and it be reused, meanwhile.
		e.gen++
		e.rw.Unlock()
	}
	sh.mu.Unlock()
}

// remove forgets e, which has no users, and keeps it for reuse.
func (sh *keyedShard[K]) remove(e *keyedEntry[K]) {
	if e.sole == forNothing { // there have been others
		sh.keepSums(e)
	}
	var zero K
	e.key, e.sole = zero, forNothing
	e.gen++
	if e == &sh.first {
		return
	}
	b := sh.bucket(e.hash)
	for *b != e {
		b = &(*b).next
	}
	*b = e.next
	if sh.n--; sh.n == 0 && len(sh.buckets) > 8*minBuckets {
		sh.buckets = make([]*keyedEntry[K], minBuckets)
	}
	e.next, e.hash = sh.free, 1
	if sh.free != nil {
		e.hash += sh.free.hash
	}
	if e.hash <= maxFree {
		sh.free = e
	} else {
		e.next = nil
	}
}

// keepSums takes from e what its users have counted, if any had to wait.
func (sh *keyedShard[K]) keepSums(e *keyedEntry[K]) {
	waited := e.waited.Load()
	if waited == 0 {
		return
	}
	x := e.rw.x.Load()
	sums := x.sums()
	sh.gone.add(sums)
	sh.top.note(e.key, sums.contended(), waited)
	e.waited.Store(0)
	x.resetCounters()
}

// keys returns how many entries are in use.
func (sh *keyedShard[K]) keys() int { return sh.n + int(min(sh.first.refs, 1)) }

// each calls f for every entry in use. The caller holds mu.
func (sh *keyedShard[K]) each(f func(*keyedEntry[K])) {
	if sh.first.refs != 0 {
		f(&sh.first)
	}
	for _, e := range sh.buckets {
		for ; e != nil; e = e.next {
			f(e)
		}
	}
}
