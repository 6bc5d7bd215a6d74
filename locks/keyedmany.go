package locks

import (
	"cmp"
	"context"
	"slices"
	"unsafe"
)

// HeldMany is a set of keys that are locked, as returned by [Keyed.LockMany].
type HeldMany[K comparable] struct{ held []Held[K] }

// LockMany locks all keys for writing. Whatever the order in which they are given
// here and elsewhere, two LockMany do not wait for each other in a circle. That
// does not hold for a goroutine that already holds a key. A key given twice is
// locked once; without keys nothing is.
func (k *Keyed[K]) LockMany(keys ...K) HeldMany[K] {
	h, _ := k.lockMany(nil, keys)
	return h
}

// LockManyContext is LockMany that gives up when ctx is done: it then returns
// ctx.Err() and holds nothing. A ctx that is already done wins over free keys. A
// nil ctx panics.
func (k *Keyed[K]) LockManyContext(ctx context.Context, keys ...K) (HeldMany[K], error) {
	if err := ctx.Err(); err != nil {
		return HeldMany[K]{}, err
	}
	h, ok := k.lockMany(&limit{done: ctx.Done()}, keys)
	if !ok {
		return h, ctx.Err()
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
// do not change. (The hashes would not do: two keys may have the same.)
func (k *Keyed[K]) lockMany(l *limit, keys []K) (HeldMany[K], bool) {
	pinned := make([]Held[K], len(keys))
	for i, key := range keys {
		sh, e, _ := k.pin(key, forNothing)
		pinned[i] = Held[K]{sh: sh, e: e}
	}
	slices.SortFunc(pinned, func(a, b Held[K]) int {
		return cmp.Compare(uintptr(unsafe.Pointer(a.e)), uintptr(unsafe.Pointer(b.e)))
	})
	held := pinned[:0]
	for i := range pinned {
		if h := pinned[i]; len(held) > 0 && held[len(held)-1].e == h.e {
			h.sh.unpin(h.e, forNothing) // given twice
		} else {
			held = append(held, h)
		}
	}
	for i := range held {
		h := &held[i]
		if !k.lockPinned(h.e, l) {
			for _, h := range held[i:] {
				h.sh.unpin(h.e, forNothing)
			}
			HeldMany[K]{held[:i]}.Unlock()
			return HeldMany[K]{}, false
		}
		h.gen = h.e.gen
	}
	for _, h := range held {
		h.sh.countWrite()
	}
	return HeldMany[K]{held}, true
}

func (sh *keyedShard[K]) countWrite() {
	sh.mu.Lock()
	sh.writes++
	sh.mu.Unlock()
}
