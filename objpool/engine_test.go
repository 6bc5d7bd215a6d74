package objpool_test

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/objpool"
)

// The pinned engine's hold on the runtime: waitForPinned must not return before every
// pinned section that runs has ended. Should a later Go read its memory statistics
// without stopping the world, this fails.
func TestWaitForPinnedWaits(t *testing.T) {
	if !objpool.PinnedBuild {
		t.Skip("this build has the portable engine only")
	}
	var perP [1024]struct {
		inside uint32 // written plainly, as the engine does
		_      [124]byte
	}
	var frozen, stop atomic.Bool
	section := func() { // a function of its own, as Get and Put: it can be preempted at its start
		id := rt.Pin()
		if !frozen.Load() {
			perP[id].inside = 1
			rt.ProcYield(10)
			perP[id].inside = 0
		}
		rt.Unpin()
	}
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !stop.Load() {
				section()
			}
		})
	}
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		frozen.Store(true)
		objpool.WaitForPinned()
		for i := range perP {
			if atomic.LoadUint32(&perP[i].inside) != 0 {
				t.Error("a pinned section goes on after waitForPinned")
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
	if !objpool.PinnedBuild {
		t.Skip("this build has the portable engine only")
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
		objpool.WaitForPinned()
	}
	require.GreaterOrEqual(t, stops(), before+10)
}
