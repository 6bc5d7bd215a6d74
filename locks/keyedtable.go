package locks

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/stats"
)

// keyedShard is a part of a Keyed's table: a hash table of entries chained through
// themselves, and entries kept for reuse, so that locking allocates nothing.
//
// Everything in it but the entries' locks is guarded by mu, which nobody holds
// while it waits for an entry.
type keyedShard[K comparable] struct {
	mu            sync.Mutex
	buckets       []*keyedEntry[K] // a power of two of them
	n             int              // entries in buckets
	free          *keyedEntry[K]   // chained by next, with the length of the chain in hash
	writes, reads uint64           // acquired, or being waited for

	// The line above is all that an uncontended lock touches of its shard.

	gone keyedSums // of entries that have vanished
	top  topKeys[K]

	_ [2*stats.Line - 144]byte // to 256 bytes, on 64-bit machines
}

// keyedEntry is the lock of one key. refs is above zero while it is in the table,
// and only then is its lock in use.
type keyedEntry[K comparable] struct {
	rw     RWMutex
	next   *keyedEntry[K]
	hash   uint64
	refs   int    // users: who hold it and who wait for it
	gen    uint64 // changes when a writer's or the last user's hold ends
	key    K
	waited atomic.Int64 // ns; above 0 if any user had to wait
}

type purpose int

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
	h := maphash.Comparable(k.seed, key)
	sh := &k.shards[h&k.mask]
	sh.mu.Lock()
	switch p {
	case forWriting:
		sh.writes++
	case forReading:
		sh.reads++
	}
	if sh.n > 0 {
		for e := *sh.bucket(h); e != nil; e = e.next {
			if e.hash == h && e.key == key {
				e.refs++
				sh.mu.Unlock()
				return sh, e, false
			}
		}
	}
	e := sh.insert(key, h)
	switch p {
	case forWriting:
		e.rw.store(unbiasable | wLock | oneWrite)
	case forReading:
		e.rw.store(unbiasable | oneReader | oneRead)
	default:
		e.rw.store(unbiasable)
	}
	sh.mu.Unlock()
	return sh, e, p != forNothing
}

func (sh *keyedShard[K]) bucket(h uint64) **keyedEntry[K] {
	return &sh.buckets[(h>>32)&uint64(len(sh.buckets)-1)]
}

func (sh *keyedShard[K]) insert(key K, h uint64) *keyedEntry[K] {
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
	e.key, e.hash, e.refs, e.next = key, h, 1, *b
	*b = e
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
func (sh *keyedShard[K]) unpin(e *keyedEntry[K], p purpose) {
	sh.mu.Lock()
	switch p {
	case forWriting:
		sh.writes--
	case forReading:
		sh.reads--
	}
	if e.refs--; e.refs == 0 {
		sh.remove(e)
	}
	sh.mu.Unlock()
}

// release ends a hold of e.
func (sh *keyedShard[K]) release(e *keyedEntry[K], gen uint64, reader bool) {
	sh.mu.Lock()
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

// remove takes e, which has no users, out of the table and keeps it for reuse.
func (sh *keyedShard[K]) remove(e *keyedEntry[K]) {
	b := sh.bucket(e.hash)
	for *b != e {
		b = &(*b).next
	}
	*b = e.next
	if sh.n--; sh.n == 0 && len(sh.buckets) > 8*minBuckets {
		sh.buckets = make([]*keyedEntry[K], minBuckets)
	}
	if waited := e.waited.Load(); waited != 0 { // it was contended
		x := e.rw.x.Load()
		sums := x.sums()
		sh.gone.add(sums)
		sh.top.note(e.key, sums.contended(), waited)
		e.waited.Store(0)
		x.resetCounters()
	}
	e.gen++
	var zero K
	e.key = zero
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
