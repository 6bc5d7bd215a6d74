package rt

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// A grace period must not be over before every pinned section that ran when it began
// has ended: neither without a garbage collection nor with one that waits for it.
func TestGraceIsOverAfterPinnedSectionsAndACollection(t *testing.T) {
	if !Pinned {
		if !NewGrace().Over() {
			t.Fatal("nothing is pinned in this build")
		}
		t.Skip("this build uses the portable twin: nothing is pinned")
	}
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("while this goroutine runs, none is pinned")
	}
	if !(Grace{}).Over() {
		t.Error("the zero Grace is not over")
	}
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		var inside, left atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			Pin()
			inside.Store(true)
			for range 100 { // some 100 µs, in which nothing can stop the world
				ProcYield(50)
			}
			left.Store(true)
			Unpin()
		}()
		for !inside.Load() {
			runtime.Gosched()
		}
		g := NewGrace()
		collected := make(chan struct{})
		go func() {
			defer close(collected)
			runtime.GC()
		}()
		for !g.Over() {
			runtime.Gosched()
		}
		if !left.Load() {
			t.Error("over before the section ended")
		}
		<-done
		<-collected
	}
}

func TestGraceIsNotOverWithoutACollection(t *testing.T) {
	if !Pinned {
		t.Skip("this build uses the portable twin: nothing is pinned")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := NewGrace()
	over := g.Over()
	runtime.ReadMemStats(&after)
	if over && before.NumGC == after.NumGC {
		t.Error("over at once, with no garbage collection between")
	}
}
