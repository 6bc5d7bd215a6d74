package rt

import (
	"runtime"
	"sync"
	"testing"
)

func TestThreadsAreToldApart(t *testing.T) {
	if !Pinned {
		t.Skip("this build uses the portable twin, whose Thread is a random hint")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine := Thread()
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int]bool{mine: true}
	hold := make(chan struct{})
	const threads = 20
	var ready sync.WaitGroup
	ready.Add(threads)
	for range threads {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			id := Thread()
			mu.Lock()
			if seen[id] {
				t.Errorf("two threads share the number %d", id)
			}
			seen[id] = true
			mu.Unlock()
			ready.Done()
			<-hold
			if again := Thread(); again != id {
				t.Errorf("Thread() was %d and is %d", id, again)
			}
		})
	}
	ready.Wait()
	close(hold)
	wg.Wait()
	if again := Thread(); again != mine {
		t.Errorf("Thread() was %d and is %d", mine, again)
	}
}

func BenchmarkThread(b *testing.B) {
	for b.Loop() {
		Thread()
	}
}
