package locks

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Keyed is a set of read/write locks with names: one for every key that somebody
// holds or waits for. A lock appears with its first user and vanishes with its
// last, so there is nothing to clean up. Keys are independent of each other, and
// each lock keeps the promises of an [RWMutex]. The zero value is ready to use, as
// [NewKeyed] without options makes it. It must not be copied after first use. All
// methods are safe for concurrent use.
//
// A key that is not equal to itself (a NaN) locks something of its own, which
// nobody else can wait for. A key in an interface type that holds something not
// comparable panics, as in a map, and locks nothing.
type Keyed[K comparable] struct {
	_     nocopy.NoCopy
	t     atomic.Pointer[keyedTable[K]] // made by the first use
	waits waits                         // of all keys
}

// keyedTable is where the locks are.
type keyedTable[K comparable] struct {
	name   string
	seed   maphash.Seed
	mask   uint64
	shards []keyedShard[K]
}

func (k *Keyed[K]) table() *keyedTable[K] {
	if t := k.t.Load(); t != nil {
		return t
	}
	k.t.CompareAndSwap(nil, newKeyedTable[K](defaultKeyed))
	return k.t.Load()
}

// KeyedOption tunes a [Keyed].
type KeyedOption func(*keyedConfig)

type keyedConfig struct {
	shards, top int
	name        string
}

// WithName labels the Keyed in its Stats.
func WithName(name string) KeyedOption { return func(c *keyedConfig) { c.name = name } }

// WithShards sets into how many independently locked parts the table is cut. It
// is rounded up to a power of two; 0 or less means the default, 32 per P; more
// than 4096 means 4096. A shard takes 256 bytes with keys of the size of a string.
func WithShards(n int) KeyedOption { return func(c *keyedConfig) { c.shards = n } }

// WithTop sets how many contended keys each shard remembers for [Keyed.Top] after
// their locks have vanished; 0 or less means none. The default is 8.
func WithTop(n int) KeyedOption { return func(c *keyedConfig) { c.top = n } }

var defaultKeyed = keyedConfig{top: 8}

// NewKeyed returns a Keyed in which nothing is locked.
func NewKeyed[K comparable](opts ...KeyedOption) *Keyed[K] {
	c := defaultKeyed
	for _, o := range opts {
		o(&c)
	}
	k := new(Keyed[K])
	k.t.Store(newKeyedTable[K](c))
	return k
}

func newKeyedTable[K comparable](c keyedConfig) *keyedTable[K] {
	if c.shards <= 0 {
		c.shards = 32 * runtime.GOMAXPROCS(0)
	}
	n := 1 << bits.Len(uint(min(c.shards, 4096)-1))
	t := &keyedTable[K]{name: c.name, seed: maphash.MakeSeed(), mask: uint64(n - 1), shards: make([]keyedShard[K], n)}
	for i := range t.shards {
		t.shards[i].top.limit = max(c.top, 0)
	}
	return t
}

// Held is a key that is locked, as returned by the methods of [Keyed]. It may be
// passed to another goroutine. The zero Held holds nothing.
type Held[K comparable] struct {
	sh     *keyedShard[K]
	e      *keyedEntry[K]
	gen    uint64
	reader bool
}

// Lock locks key for writing. It waits until nobody else holds it.
func (k *Keyed[K]) Lock(key K) Held[K] {
	k.ask(key, true)
	sh, e, locked := k.pin(key, forWriting)
	if !locked {
		k.lockPinned(e, nil)
	}
	return k.held(sh, e, forWriting, locked)
}

// RLock locks key for reading. It waits while a writer holds it or waits for its
// readers to leave.
func (k *Keyed[K]) RLock(key K) Held[K] {
	k.ask(key, false)
	sh, e, locked := k.pin(key, forReading)
	if !locked {
		k.rLockPinned(e, nil)
	}
	return k.held(sh, e, forReading, locked)
}

// TryLock locks key for writing if that is possible at once, and reports whether
// it did. If not, the Held is zero.
func (k *Keyed[K]) TryLock(key K) (Held[K], bool) {
	sh, e, locked := k.pin(key, forWriting)
	if !locked && !e.rw.TryLock() {
		sh.unpin(e)
		return Held[K]{}, false
	}
	k.ask(key, true)
	return k.held(sh, e, forWriting, locked), true
}

// TryRLock locks key for reading if that is possible at once, and reports whether
// it did. If not, the Held is zero.
func (k *Keyed[K]) TryRLock(key K) (Held[K], bool) {
	sh, e, locked := k.pin(key, forReading)
	if !locked && !e.rw.TryRLock() {
		sh.unpin(e)
		return Held[K]{}, false
	}
	k.ask(key, false)
	return k.held(sh, e, forReading, locked), true
}

// LockContext is Lock that gives up when ctx is done: it then returns a zero Held
// and why ctx ended, an error that matches ctx.Err() and [context.Cause]. A ctx that
// is already done wins over a free key. A nil ctx panics.
func (k *Keyed[K]) LockContext(ctx context.Context, key K) (Held[K], error) {
	ctxerr.NotNil(ctx, "locks")
	if ctx.Err() != nil {
		return Held[K]{}, ctxerr.From(ctx)
	}
	h, ok := k.lockWithin(key, &limit{done: ctx.Done()})
	if !ok {
		return h, ctxerr.From(ctx)
	}
	return h, nil
}

// RLockContext is RLock that gives up when ctx is done, as [Keyed.LockContext]
// does.
func (k *Keyed[K]) RLockContext(ctx context.Context, key K) (Held[K], error) {
	ctxerr.NotNil(ctx, "locks")
	if ctx.Err() != nil {
		return Held[K]{}, ctxerr.From(ctx)
	}
	h, ok := k.rLockWithin(key, &limit{done: ctx.Done()})
	if !ok {
		return h, ctxerr.From(ctx)
	}
	return h, nil
}

// LockTimeout is Lock that gives up after d, and reports whether key is locked. A
// d of zero or less is TryLock.
func (k *Keyed[K]) LockTimeout(key K, d time.Duration) (Held[K], bool) {
	if d <= 0 {
		return k.TryLock(key)
	}
	return k.lockWithin(key, &limit{timeout: d})
}

// RLockTimeout is RLock that gives up after d, and reports whether key is locked. A
// d of zero or less is TryRLock.
func (k *Keyed[K]) RLockTimeout(key K, d time.Duration) (Held[K], bool) {
	if d <= 0 {
		return k.TryRLock(key)
	}
	return k.rLockWithin(key, &limit{timeout: d})
}

func (k *Keyed[K]) lockWithin(key K, l *limit) (Held[K], bool) {
	k.ask(key, true)
	sh, e, locked := k.pin(key, forWriting)
	if !locked {
		if ok, _ := k.lockPinned(e, l); !ok {
			sh.unpin(e)
			return Held[K]{}, false
		}
	}
	return k.held(sh, e, forWriting, locked), true
}

func (k *Keyed[K]) rLockWithin(key K, l *limit) (Held[K], bool) {
	k.ask(key, false)
	sh, e, locked := k.pin(key, forReading)
	if !locked {
		if ok, _ := k.rLockPinned(e, l); !ok {
			sh.unpin(e)
			return Held[K]{}, false
		}
	}
	return k.held(sh, e, forReading, locked), true
}

// held returns the caller's hold of e, and counts it unless pin has.
func (k *Keyed[K]) held(sh *keyedShard[K], e *keyedEntry[K], p purpose, counted bool) Held[K] {
	if !counted {
		sh.acquired(p, 1)
	}
	if debugEnabled {
		k.got(e, p == forWriting)
	}
	return Held[K]{sh: sh, e: e, gen: e.gen, reader: p == forReading}
}

// ask tells the debug switch of a key that the caller asks for, or has tried.
func (k *Keyed[K]) ask(key K, write bool) {
	if debugEnabled {
		k.table().hash(key) // panics here if it cannot be hashed, and not in the switch's maps
		debugAsk(keyName[K]{k, key}, write)
	}
}

// got tells it of a key that the caller has locked.
func (k *Keyed[K]) got(e *keyedEntry[K], write bool) {
	debugGot(nil, e, keyName[K]{k, e.key}, write)
}

// keyName is what the debug switch knows the lock of a key by.
type keyName[K comparable] struct {
	k   *Keyed[K]
	key K
}

func (n keyName[K]) String() string { return fmt.Sprintf("key %v of Keyed %p", n.key, n.k) }

// Unlock releases what h holds. It ends the process if that has been released
// before, or if h is zero; but a second release of a read lock goes unnoticed
// while other readers hold the key, and takes the lock of one of them.
func (h Held[K]) Unlock() {
	if h.e == nil {
		fatal(errKeyedUnlock)
	}
	if debugEnabled {
		debugReleased(h.e, !h.reader)
	}
	h.sh.release(h.e, h.gen, h.reader)
}

// Key returns the key that h was acquired with. It must not be called after
// Unlock. That of a zero Held is the zero value.
func (h Held[K]) Key() K {
	if h.e == nil {
		var zero K
		return zero
	}
	return h.e.key
}

// lockPinned locks e, waiting as long as l allows. The caller has pinned it. It reports
// whether it did, and whether it had to wait.
func (k *Keyed[K]) lockPinned(e *keyedEntry[K], l *limit) (ok, waited bool) {
	if e.rw.TryLock() {
		return true, false
	}
	if debugEnabled {
		defer debugWatch(e, keyName[K]{k, e.key})()
	}
	start := k.contend(e)
	ok = true
	if l == nil {
		e.rw.Lock()
	} else {
		ok = e.rw.lockWithin(l)
	}
	e.waited.Add(max(int64(time.Since(start)), 1))
	return ok, true
}

func (k *Keyed[K]) rLockPinned(e *keyedEntry[K], l *limit) (ok, waited bool) {
	if e.rw.TryRLock() {
		return true, false
	}
	if debugEnabled {
		defer debugWatch(e, keyName[K]{k, e.key})()
	}
	start := k.contend(e)
	ok = true
	if l == nil {
		e.rw.RLock()
	} else {
		ok = e.rw.rLockWithin(l)
	}
	e.waited.Add(max(int64(time.Since(start)), 1))
	return ok, true
}

// contend prepares e for waiting: its waits go to the histograms of all keys.
func (k *Keyed[K]) contend(e *keyedEntry[K]) time.Time {
	raceDisable()
	e.rw.extend().waits.CompareAndSwap(nil, &k.waits)
	raceEnable()
	return time.Now()
}
