package rt

import (
	"runtime"
	"sync"
	"testing"
)

func TestGoroutinesAreToldApart(t *testing.T) {
	const n = 100
	mine := Goroutine()
	ids := make(chan uint64, n)
	hold := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			id := Goroutine()
			ids <- id
			<-hold
			deepen(40) // the stack moves, and perhaps the thread changes
			runtime.Gosched()
			if again := Goroutine(); again != id {
				t.Errorf("Goroutine() was %d and is %d", id, again)
			}
		})
	}
	seen := map[uint64]bool{0: true, mine: true}
	for range n {
		id := <-ids
		if seen[id] {
			t.Errorf("Goroutine() = %d a second time", id)
		}
		seen[id] = true
	}
	close(hold)
	wg.Wait()
	if again := Goroutine(); again != mine {
		t.Errorf("Goroutine() was %d and is %d", mine, again)
	}
}

//go:noinline
func deepen(n int) byte {
	var frame [256]byte
	if n > 0 {
		frame[n] = deepen(n - 1)
	}
	return frame[n]
}

func BenchmarkGoroutine(b *testing.B) {
	for b.Loop() {
		Goroutine()
	}
}
