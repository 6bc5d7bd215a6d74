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
			if again := NumberThread(); again != id {
				t.Errorf("NumberThread() was %d and is %d", id, again)
			}
			if again := Thread(); again != id && again != 0 {
				t.Errorf("Thread() is %d, NumberThread() was %d", again, id)
			}
		})
	}
	ready.Wait()
	close(hold)
	wg.Wait()
	if len(seen) != threads+1 {
		t.Errorf("%d threads share %d numbers", threads+1, len(seen))
	}
	if again := NumberThread(); again != mine {
		t.Errorf("NumberThread() was %d and is %d", mine, again)
	}
}

func BenchmarkThread(b *testing.B) {
	for b.Loop() {
		Thread()
	}
}
