package locks

import (
	"cmp"
	"context"
	"slices"
	"unsafe"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// HeldMany is a set of keys that are locked, as returned by [Keyed.LockMany] and
// those beside it. The zero HeldMany holds nothing.
type HeldMany[K comparable] struct{ held []Held[K] }

// LockMany locks all keys for writing. Whatever the order in which they are given
// here and elsewhere, two LockMany or RLockMany do not wait for each other in a
// circle. That does not hold for a goroutine that already holds a key. A key given
// twice is locked once; without keys nothing is.
func (k *Keyed[K]) LockMany(keys ...K) HeldMany[K] {
	h, _ := k.lockMany(forWriting, false, func(e *keyedEntry[K]) (ok, waited bool) { return k.lockPinned(e, nil) }, keys)
	return h
}

// RLockMany locks all keys for reading, as [Keyed.LockMany] does for writing.
func (k *Keyed[K]) RLockMany(keys ...K) HeldMany[K] {
	h, _ := k.lockMany(forReading, false, func(e *keyedEntry[K]) (ok, waited bool) { return k.rLockPinned(e, nil) }, keys)
	return h
}

// TryLockMany locks all keys for writing if that is possible at once, and reports
// whether it did. If not, it holds none.
func (k *Keyed[K]) TryLockMany(keys ...K) (HeldMany[K], bool) {
	return k.lockMany(forWriting, true, func(e *keyedEntry[K]) (ok, waited bool) { return e.rw.TryLock(), false }, keys)
}

// TryRLockMany locks all keys for reading if that is possible at once, and reports
// whether it did. If not, it holds none.
func (k *Keyed[K]) TryRLockMany(keys ...K) (HeldMany[K], bool) {
	return k.lockMany(forReading, true, func(e *keyedEntry[K]) (ok, waited bool) { return e.rw.TryRLock(), false }, keys)
}

// LockManyContext is LockMany that gives up when ctx is done: it then holds nothing
// and returns why ctx ended, an error that matches ctx.Err() and [context.Cause]. A
// ctx that is already done wins over free keys. A nil ctx panics.
func (k *Keyed[K]) LockManyContext(ctx context.Context, keys ...K) (HeldMany[K], error) {
	return k.lockManyContext(ctx, forWriting, k.lockPinned, keys)
}

// RLockManyContext is RLockMany that gives up when ctx is done, as
// [Keyed.LockManyContext] does.
func (k *Keyed[K]) RLockManyContext(ctx context.Context, keys ...K) (HeldMany[K], error) {
	return k.lockManyContext(ctx, forReading, k.rLockPinned, keys)
}

func (k *Keyed[K]) lockManyContext(ctx context.Context, p purpose, lock func(*keyedEntry[K], *limit) (ok, waited bool), keys []K) (HeldMany[K], error) {
	ctxerr.NotNil(ctx, "locks")
	if ctx.Err() != nil {
		return HeldMany[K]{}, ctxerr.From(ctx)
	}
	l := &limit{done: ctx.Done()}
	h, ok := k.lockMany(p, false, func(e *keyedEntry[K]) (ok, waited bool) { return lock(e, l) }, keys)
	if !ok {
		return h, ctxerr.From(ctx)
	}
	return h, nil
}

// Unlock releases all keys. It ends the process if they have been released.
func (h HeldMany[K]) Unlock() {
	for _, one := range slices.Backward(h.held) {
		one.Unlock()
	}
}

// lockMany first pins the entries of all keys, which gives every key that several
// callers want one entry, and then locks them in the order of their addresses, which
// do not change. (The hashes would not do: two keys may have the same.) It hashes
// all keys before it pins any, since a key that cannot be hashed panics. With try,
// lock does not wait.
func (k *Keyed[K]) lockMany(p purpose, try bool, lock func(*keyedEntry[K]) (ok, waited bool), keys []K) (HeldMany[K], bool) {
	t := k.table()
	hashes := make([]uint64, len(keys))
	for i, key := range keys {
		hashes[i] = t.hash(key)
	}
	if debugEnabled && !try {
		k.askMany(keys, p)
	}
	pinned := make([]Held[K], len(keys))
	for i, key := range keys {
		sh, e, _ := t.pin(key, hashes[i], forNothing)
		pinned[i] = Held[K]{sh: sh, e: e, reader: p == forReading}
	}
	slices.SortFunc(pinned, func(a, b Held[K]) int {
		return cmp.Compare(uintptr(unsafe.Pointer(a.e)), uintptr(unsafe.Pointer(b.e)))
	})
	held := pinned[:0]
	for i := range pinned {
		if h := pinned[i]; len(held) > 0 && held[len(held)-1].e == h.e {
			h.sh.unpin(h.e) // given twice
		} else {
			held = append(held, h)
		}
	}
	counted := 0
	for i := range held {
		h := &held[i]
		ok, waited := lock(h.e)
		if !ok {
			for _, h := range held[i:] {
				h.sh.unpin(h.e)
			}
			for _, h := range slices.Backward(held[:i]) {
				if debugEnabled && !try {
					debugReleased(h.e, p == forWriting)
				}
				h.sh.release(h.e, h.gen, h.reader)
			}
			return HeldMany[K]{}, false
		}
		h.gen = h.e.gen
		if waited { // counts as contended, even if it is given back
			h.sh.acquired(p, 1)
			counted++
		}
		if debugEnabled && !try {
			k.got(h.e, p == forWriting)
		}
	}
	if rest := len(held) - counted; rest > 0 {
		held[0].sh.acquired(p, rest) // only the sum of all shards is asked for
	}
	if debugEnabled && try {
		k.askMany(keys, p)
		for _, h := range held {
			k.got(h.e, p == forWriting)
		}
	}
	return HeldMany[K]{held}, true
}

// askMany is ask for many keys, which have no order among themselves.
func (k *Keyed[K]) askMany(keys []K, p purpose) {
	for _, key := range keys {
		k.ask(key, p == forWriting)
	}
}
