package objpoolbench

import (
	"slices"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
)

// Object is what is pooled: 64 bytes.
type Object struct {
	Uses int
	_    [56]byte
}

const (
	// BurstSize is how many objects a burst takes before it puts them back.
	BurstSize = 16

	// Room is how many objects the pools that have a bound may retain.
	Room = 4096
)

// Peer makes pools of one implementation.
type Peer struct {
	Name   string // "sync.Pool"; poundlock's is "poundlock"
	Config string // its configuration in a few words, for the report

	// New returns an empty pool that makes objects with mk. It may be nil.
	New func(mk func() *Object) Pool

	// NewBuffers returns an empty pool of buffers. It may be nil.
	NewBuffers func() BufferPool
}

// Pool is what the cases need of a pool. Pairs and Bursts are run by many goroutines
// at once.
type Pool struct {
	// Pairs does this n times: get an object, add 1 to its Uses, put it back.
	Pairs func(n int)

	// Bursts does this n times: get BurstSize objects, adding 1 to the Uses of each,
	// then put them all back.
	Bursts func(n int)

	Get func() *Object
	Put func(*Object)
}

// Calls returns the Pool of two functions. Its loops call them indirectly, which adds
// about a nanosecond to a pair: for pools that take many times that.
func Calls(get func() *Object, put func(*Object)) Pool {
	return Pool{
		Get: get,
		Put: put,
		Pairs: func(n int) {
			for range n {
				o := get()
				o.Uses++
				put(o)
			}
		},
		Bursts: func(n int) {
			var os [BurstSize]*Object
			for range n {
				for i := range os {
					os[i] = get()
					os[i].Uses++
				}
				for _, o := range os {
					put(o)
				}
			}
		},
	}
}

// BufferPool is what the cases need of a pool of byte buffers.
type BufferPool struct {
	// Pairs does this n times: get an empty buffer, write line to it, put it back.
	// It returns the sum of the lengths that the buffers had then.
	Pairs func(n int, line []byte) int

	// Bursts does this n times: get BurstSize buffers, write line to each, put them
	// all back. It returns the same sum.
	Bursts func(n int, line []byte) int
}

// The names of the root implementations.
const (
	nameSync  = "sync.Pool"
	nameMutex = "mutex"
	nameChan  = "chan"
)

// Cases returns every comparison. The peers are measured after the root module's own
// implementations in the cases that they take part in.
func Cases(peers ...Peer) []compare.Case {
	all := append([]Peer{poundlock(), syncPool(), mutexPool(), chanPool()}, peers...)
	return slices.Concat(
		pairs(all),
		handoffs(all),
		collections(),
		spans(),
		buffers(all),
		byteSlices(),
		statsCosts(),
	)
}

// newCase makes a case of this group; its baselines are all implementations but the
// first.
func newCase(name, doc string, impls []compare.Impl) compare.Case {
	c := compare.Case{Group: "objpool", Name: name, Doc: doc, Impls: impls}
	for _, i := range impls[1:] {
		c.Baselines = append(c.Baselines, i.Name)
	}
	return c
}

// maker makes objects and remembers them.
type maker struct {
	mu   sync.Mutex
	made []*Object
}

func (m *maker) make() *Object {
	o := new(Object)
	m.mu.Lock()
	m.made = append(m.made, o)
	m.mu.Unlock()
	return o
}

// check fails the case unless all objects were used n times in all.
func (m *maker) check(b *testing.B, n int) {
	b.Helper()
	sum := 0
	for _, o := range m.made {
		sum += o.Uses
	}
	if sum != n {
		b.Fatalf("%d uses were counted, there were %d", sum, n)
	}
}

// split runs f on that many goroutines, which share n.
func split(n, goroutines int, f func(n int)) {
	if goroutines == 1 {
		f(n)
		return
	}
	var wg sync.WaitGroup
	for i := range goroutines {
		mine := n/goroutines + min(1, max(0, n%goroutines-i))
		wg.Go(func() { f(mine) })
	}
	wg.Wait()
}
