package batchchan

import (
	"reflect"
	"time"
)

// keyState is one key's items, and the senders that wait with it.
type keyState[K comparable, T any] struct {
	all        keyLinks[K, T]  // in keyTable
	next, prev *keyState[K, T] // in ready or idleKeys
	key        K
	gen        uint32 // of the table that holds it
	list       uint8  // which of ready and idleKeys it is in
	heapAt     int    // index+1 in waits; 0: not there
	waitAt     int    // index+1 in wantRoom or wantKey; 0: not there
	running    bool   // a batch of it is in the processor or aside
	stopped    bool
	buf        fifo[T]
	segs       fifo[segment] // the batches that buf holds; the last is open
	waiters    waitList[keyedItem[K, T]]
	idleAt     time.Duration
}

const (
	inNone uint8 = iota
	inReady
	inIdle
)

// busy says whether the key counts towards MaxKeys.
func (s *keyState[K, T]) busy() bool { return s.running || s.segs.len() > 0 }

// segment is one batch of a key that waits.
type segment struct {
	n, bytes int
	at       time.Duration // when its first item came
	seq      uint64        // segments opened before, of all keys
}

// keyedItem is what a sender waits with.
type keyedItem[K comparable, T any] struct {
	key  K
	item T
	size int
	nth  uint64 // senders that have waited before
	s    *keyState[K, T]
}

// fifo is a queue in a slice that gives back what it no longer needs.
type fifo[E any] struct {
	all []E
	off int
}

func (f *fifo[E]) len() int { return len(f.all) - f.off }

func (f *fifo[E]) front() *E { return &f.all[f.off] }

func (f *fifo[E]) back() *E { return &f.all[len(f.all)-1] }

func (f *fifo[E]) push(e E) {
	if f.off > 64 && f.off > len(f.all)/2 {
		n := copy(f.all, f.all[f.off:])
		clear(f.all[n:])
		f.all, f.off = f.all[:n], 0
	}
	f.all = append(f.all, e)
}

// pop appends the first n elements to to.
func (f *fifo[E]) pop(n int, to []E) []E {
	from := f.all[f.off : f.off+n]
	to = append(to, from...)
	clear(from)
	if f.off += n; f.off == len(f.all) {
		f.all, f.off = f.all[:0], 0
	}
	return to
}

// drop takes the first element out.
func (f *fifo[E]) drop() {
	var zero E
	*f.front() = zero
	if f.off++; f.off == len(f.all) {
		f.all, f.off = f.all[:0], 0
	}
}

// steal takes everything out and returns it.
func (f *fifo[E]) steal() []E {
	rest := f.all[f.off:]
	*f = fifo[E]{}
	return rest
}

// keyLinks are the links of a list over all keys.
type keyLinks[K comparable, T any] struct{ next, prev *keyState[K, T] }

// keyTable finds keys. A Go map never becomes smaller; so when few of many keys
// are left, a new map takes the place of the old one, and every later operation
// moves one key over: no operation takes longer than a constant.
type keyTable[K comparable, T any] struct {
	keys, old  map[K]*keyState[K, T]
	gen        uint32
	most       int             // keys that keys has held
	head, tail *keyState[K, T] // all keys, those of old first
}

// shrinkFrom is how many keys are worth a smaller map.
const shrinkFrom = 1024

func (t *keyTable[K, T]) len() int { return len(t.keys) + len(t.old) }

func (t *keyTable[K, T]) get(key K) *keyState[K, T] {
	if s := t.keys[key]; s != nil || t.old == nil {
		return s
	}
	return t.old[key]
}

func (t *keyTable[K, T]) put(s *keyState[K, T]) {
	if t.keys == nil {
		t.keys = make(map[K]*keyState[K, T])
	}
	s.gen = t.gen
	t.keys[s.key] = s
	t.most = max(t.most, len(t.keys))
	s.all.prev = t.tail
	if t.tail == nil {
		t.head = s
	} else {
		t.tail.all.next = s
	}
	t.tail = s
	t.move()
}

func (t *keyTable[K, T]) remove(s *keyState[K, T]) {
	if s.gen == t.gen {
		delete(t.keys, s.key)
	} else {
		delete(t.old, s.key)
	}
	t.unlink(s)
	if t.old == nil && t.most >= shrinkFrom && len(t.keys) < t.most/8 {
		t.old, t.keys, t.most = t.keys, make(map[K]*keyState[K, T]), 0
		t.gen++
	}
	t.move()
}

func (t *keyTable[K, T]) unlink(s *keyState[K, T]) {
	if s.all.prev == nil {
		t.head = s.all.next
	} else {
		s.all.prev.all.next = s.all.next
	}
	if s.all.next == nil {
		t.tail = s.all.prev
	} else {
		s.all.next.all.prev = s.all.prev
	}
	s.all = keyLinks[K, T]{}
}

// move moves one key from the old map.
func (t *keyTable[K, T]) move() {
	if t.old == nil {
		return
	}
	if len(t.old) == 0 {
		t.old = nil
		return
	}
	s := t.head
	delete(t.old, s.key)
	t.unlink(s)
	old := t.old
	t.old = nil // put is to move nothing
	t.put(s)
	t.old = old
}

// keyChecker refuses keys that a map cannot find again. It must be asked outside
// every lock: a key's hash can panic.
type keyChecker[K comparable] struct{ dynamic bool }

func newKeyChecker[K comparable]() keyChecker[K] {
	return keyChecker[K]{holdsInterface(reflect.TypeFor[K]())}
}

// holdsInterface says whether values of type t may turn out not to be comparable.
func holdsInterface(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Array:
		return holdsInterface(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsInterface(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// ok reports false for a key that is not equal to itself or cannot be compared.
func (c keyChecker[K]) ok(key K) (ok bool) {
	if c.dynamic {
		defer func() {
			if recover() != nil {
				ok = false
			}
		}()
	}
	same := key
	return same == key
}
