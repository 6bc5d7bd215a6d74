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
	mine := NumberThread()
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
			id := NumberThread()
			mu.Lock()
			if id < 1 {
				t.Errorf("NumberThread() = %d", id)
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
	// All different unless two addresses hash alike, which one pair may.
	if len(seen) < threads {
		t.Errorf("%d threads share %d numbers", threads+1, len(seen))
	}
	if again := Thread(); again != mine {
		t.Errorf("Thread() was %d and is %d", mine, again)
	}
}

func BenchmarkThread(b *testing.B) {
	for b.Loop() {
		Thread()
	}
}
