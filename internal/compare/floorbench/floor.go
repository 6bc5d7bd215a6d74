// Package floorbench holds the cases of the ground floor: the primitives that every
// package is made of.
package floorbench

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// Cases measures the primitives that everything else is made of, so that a
// reader can tell how near a package comes to what the machine allows, and so that
// a bar can be stated against them (floor:atomic-add).
func Cases() []compare.Case {
	return []compare.Case{{
		Group: "floor", Name: "primitives", Quick: true,
		Doc: "One op is one use of the primitive; nothing here is poundlock's.",
		Impls: []compare.Impl{
			{Name: "atomic-add", Config: "one goroutine", Bench: atomicAdd},
			{Name: "atomic-cas", Config: "a compare-and-swap that succeeds, one goroutine", Bench: atomicCAS},
			{Name: "shared-add", Config: "one word, a goroutine per P", Bench: sharedAdd},
			{Name: "mutex-pair", Config: "Lock and Unlock, uncontended", Bench: mutexPair},
			{Name: "chan-buffered", Config: "send and receive in one goroutine", Bench: chanPair},
			{Name: "hand-off", Config: "a value through an unbuffered channel to another goroutine", Bench: handOff},
			{Name: "go-wait", Config: "start a goroutine and wait for it", Bench: goWait},
			{Name: "clock", Config: "time.Now", Bench: clock},
		},
	}}
}

func atomicAdd(b *testing.B) {
	var n atomic.Int64
	for range b.N {
		n.Add(1)
	}
	if n.Load() != int64(b.N) {
		b.Fatalf("%d of %d additions", n.Load(), b.N)
	}
}

func atomicCAS(b *testing.B) {
	var n atomic.Int64
	for i := range int64(b.N) {
		n.CompareAndSwap(i, i+1)
	}
	if n.Load() != int64(b.N) {
		b.Fatalf("%d of %d swaps", n.Load(), b.N)
	}
}

func sharedAdd(b *testing.B) {
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n.Add(1)
		}
	})
	if n.Load() != int64(b.N) {
		b.Fatalf("%d of %d additions", n.Load(), b.N)
	}
}

func mutexPair(b *testing.B) {
	var mu sync.Mutex
	n := 0
	for range b.N {
		mu.Lock()
		n++
		mu.Unlock()
	}
	if n != b.N {
		b.Fatalf("%d of %d sections", n, b.N)
	}
}

func chanPair(b *testing.B) {
	ch := make(chan int, 1)
	sum := 0
	for range b.N {
		ch <- 1
		sum += <-ch
	}
	if sum != b.N {
		b.Fatalf("%d of %d values", sum, b.N)
	}
}

func handOff(b *testing.B) {
	ch, done := make(chan int), make(chan int)
	go func() {
		sum := 0
		for v := range ch {
			sum += v
		}
		done <- sum
	}()
	for range b.N {
		ch <- 1
	}
	close(ch)
	if sum := <-done; sum != b.N {
		b.Fatalf("%d of %d values", sum, b.N)
	}
}

func goWait(b *testing.B) {
	var wg sync.WaitGroup
	var n atomic.Int64
	for range b.N {
		wg.Go(func() { n.Add(1) })
		wg.Wait()
	}
	if n.Load() != int64(b.N) {
		b.Fatalf("%d of %d goroutines", n.Load(), b.N)
	}
}

func clock(b *testing.B) {
	var last time.Time
	for range b.N {
		last = time.Now()
	}
	if last.IsZero() {
		b.Fatal("no time")
	}
}
