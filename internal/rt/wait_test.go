package rt

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
)

// WaitForPinned must not return before every pinned section that runs has ended.
// Should a later Go read its memory statistics without stopping the world, this
// fails.
func TestWaitForPinnedWaits(t *testing.T) {
	if !Pinned {
		t.Skip("this build uses the portable twin: nothing is pinned")
	}
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("while this goroutine runs, none is pinned")
	}
	var perP [1024]struct {
		inside uint32 // written plainly, as objpool does
		_      [124]byte
	}
	var frozen, stop atomic.Bool
	var entered atomic.Uint64 // sections that saw frozen false
	section := func() {       // a function of its own, which can be preempted at its start
		id := Pin()
		if !frozen.Load() {
			entered.Add(1)
			perP[id].inside = 1
			ProcYield(10)
			perP[id].inside = 0
		}
		Unpin()
	}
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !stop.Load() {
				section()
			}
		})
	}
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		for n := entered.Load(); entered.Load() == n; {
			// Freeze when a section has just begun.
		}
		frozen.Store(true)
		WaitForPinned()
		for i := range perP {
			if atomic.LoadUint32(&perP[i].inside) != 0 {
				t.Error("a pinned section goes on after WaitForPinned")
			}
		}
		frozen.Store(false)
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	wg.Wait()
}

// The same seen from the runtime's own count of stops.
func TestWaitForPinnedStopsTheWorld(t *testing.T) {
	if !Pinned {
		t.Skip("this build uses the portable twin: nothing is pinned")
	}
	stops := func() (n uint64) {
		s := []metrics.Sample{{Name: "/sched/pauses/total/other:seconds"}}
		metrics.Read(s)
		for _, c := range s[0].Value.Float64Histogram().Counts {
			n += c
		}
		return n
	}
	before := stops()
	for range 10 {
		WaitForPinned()
	}
	if n := stops() - before; n < 10 {
		t.Errorf("the world stopped %d times in 10 calls", n)
	}
}
