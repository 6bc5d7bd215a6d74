package batchchan

import (
	"reflect"
	"time"

	"github.com/poundlock/poundlock/internal/list"
)

// keyState is one key's items, and the senders that wait with it.
type keyState[K comparable, T any] struct {
	all     list.Node[*keyState[K, T]] // in keyTable
	node    list.Node[*keyState[K, T]] // in ready or idleKeys
	key     K
	gen     uint32 // of the table that holds it
	list    uint8  // which of ready and idleKeys it is in
	heapAt  int    // index+1 in waits; 0: not there
	waitAt  int    // index+1 in a heap of keyedLine; 0: not there
	running bool   // a batch of it is in the processor or aside
	stopped bool
	buf     fifo[T]
	segs    fifo[segment] // the batches that buf holds; the last is open
	waiters waitList[keyedItem[K, T]]
	idleAt  time.Duration
}

const (
	inNone uint8 = iota
	inReady
	inIdle
)

func newKeyState[K comparable, T any]() *keyState[K, T] {
	s := new(keyState[K, T])
	s.all.Value, s.node.Value = s, s
	return s
}

// reset makes s fit for another key; it keeps its buffers.
func (s *keyState[K, T]) reset() {
	*s = keyState[K, T]{buf: s.buf, segs: s.segs}
	s.all.Value, s.node.Value = s, s
}

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
	nth  uint64 // of all senders that have waited: set by keyedLine
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
