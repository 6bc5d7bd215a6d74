package locksbench

import (
	"strconv"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/locks"
)

// KeyedMix is what the goroutines of a keyed case do: lock one of Keys keys, count
// it up, unlock it.
type KeyedMix struct {
	Keys int
	mix  Mix
}

// Key is one of the keys with the data that its lock guards.
type Key struct {
	Name string
	data uint64
	_    [104]byte
}

// Run runs loop in one goroutine per P; loop locks the key that pick returns, calls
// its Count, and unlocks it.
func (m *KeyedMix) Run(b *testing.B, loop func(pb *testing.PB, op *Op, pick func(*Op) *Key)) {
	keys := make([]Key, m.Keys)
	for i := range keys {
		keys[i].Name = "tenant/" + strconv.Itoa(i)
	}
	pick := func(op *Op) *Key { return &keys[uint64(op.x)*uint64(len(keys))>>32] }
	b.ReportAllocs()
	b.ResetTimer()
	m.mix.Run(b, func(pb *testing.PB, op *Op) { loop(pb, op, pick) })
	b.StopTimer()
	var sum uint64
	for i := range keys {
		sum += keys[i].data
	}
	m.mix.Check(b, sum)
}

// Count is what happens inside of the key's lock.
func (k *Key) Count(op *Op) { op.Wrote(&k.data) }

func keyedPoundlock(b *testing.B, m *KeyedMix) {
	l := locks.NewKeyed[string]()
	m.Run(b, func(pb *testing.PB, op *Op, pick func(*Op) *Key) {
		for pb.Next() {
			op.Write()
			k := pick(op)
			h := l.Lock(k.Name)
			k.Count(op)
			h.Unlock()
		}
	})
	if n := l.Len(); n != 0 {
		b.Fatalf("%d keys are left", n)
	}
}

// mapLocks is what programs write by hand: a map of mutexes that only grows.
type mapLocks struct {
	mu sync.RWMutex
	m  map[string]*sync.Mutex
}

func (l *mapLocks) get(key string) *sync.Mutex {
	l.mu.RLock()
	m := l.m[key]
	l.mu.RUnlock()
	if m == nil {
		l.mu.Lock()
		if m = l.m[key]; m == nil {
			m = new(sync.Mutex)
			l.m[key] = m
		}
		l.mu.Unlock()
	}
	return m
}

func keyedMap(b *testing.B, m *KeyedMix) {
	l := &mapLocks{m: make(map[string]*sync.Mutex)}
	m.Run(b, func(pb *testing.PB, op *Op, pick func(*Op) *Key) {
		for pb.Next() {
			op.Write()
			k := pick(op)
			mu := l.get(k.Name)
			mu.Lock()
			k.Count(op)
			mu.Unlock()
		}
	})
}
