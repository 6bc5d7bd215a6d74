//go:build race

package locks_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// racers starts two goroutines one after the other, as far as the locks go, that
// both write a variable inside of f's section.
func racers(section func(write func())) {
	n := 0
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { section(func() { n++ }) })
	}
	wg.Wait()
	println(n)
}

func init() {
	children["race/readers in the word"] = func() {
		var rw locks.RWMutex
		racers(func(write func()) { rw.RLock(); write(); rw.RUnlock() })
	}
	children["race/readers in stripes"] = func() {
		var rw locks.RWMutex
		locks.EnableBias(&rw)
		racers(func(write func()) { rw.RLock(); write(); rw.RUnlock() })
	}
	children["race/TryRLock"] = func() {
		var rw locks.RWMutex
		racers(func(write func()) {
			for !rw.TryRLock() {
				runtime.Gosched()
			}
			write()
			rw.RUnlock()
		})
	}
	children["race/readers that slept"] = func() {
		for _, bias := range []bool{false, true} {
			var rw locks.RWMutex
			if bias {
				locks.EnableBias(&rw)
			}
			rw.Lock()
			go func() {
				for rw.Stats().Waiting < 2 {
					runtime.Gosched()
				}
				rw.Unlock()
			}()
			racers(func(write func()) { rw.RLock(); write(); rw.RUnlock() })
		}
	}
	for name, use := range map[string]func() (use, overwrite func()){
		"RWMutex": func() (func(), func()) {
			m := new(locks.RWMutex)
			return func() { m.Lock(); m.Unlock() }, func() { *m = locks.RWMutex{} }
		},
		"SpinMutex": func() (func(), func()) {
			m := new(locks.SpinMutex)
			return func() { m.Lock(); m.Unlock() }, func() { *m = locks.SpinMutex{} }
		},
		"Keyed": func() (func(), func()) {
			k := new(locks.Keyed[int])
			return func() { k.Lock(1).Unlock() }, func() { *k = locks.Keyed[int]{} }
		},
	} {
		children["race/overwritten "+name] = func() {
			use, overwrite := use()
			var wg sync.WaitGroup
			wg.Go(use)
			wg.Go(overwrite)
			wg.Wait()
		}
	}
	children["race/downgraded"] = func() {
		var rw locks.RWMutex
		done := make(chan struct{})
		n := 0
		rw.Lock()
		rw.Downgrade()
		go func() { rw.RLock(); n++; rw.RUnlock(); close(done) }()
		n++
		rw.RUnlock()
		<-done
		println(n)
	}
	children["race/failed TryLock"] = func() {
		var rw locks.RWMutex
		locks.EnableBias(&rw)
		rw.RLock()
		racers(func(write func()) {
			if !rw.TryLock() {
				write()
			}
		})
	}
	children["race/not locked"] = func() {
		var m locks.SpinMutex
		racers(func(write func()) {
			m.Lock()
			m.Unlock()
			write()
		})
	}
}

// TestRaceDetectorSeesThroughTheLocks: what a lock does not order must be flagged
// in every mode.
func TestRaceDetectorSeesThroughTheLocks(t *testing.T) {
	for _, name := range []string{
		"readers in the word", "readers in stripes", "TryRLock", "readers that slept",
		"downgraded", "failed TryLock", "not locked",
		"overwritten RWMutex", "overwritten SpinMutex", "overwritten Keyed",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _ := child(t, "race/"+name)
			require.Contains(t, out, "WARNING: DATA RACE")
			require.NotContains(t, out, "locks.(*rwExt)", "a race inside of the lock")
		})
	}
}

// TestRaceDetectorAcceptsCorrectUse hammers plain data through every way in and
// out; a missing edge would be flagged. (mixAll does so at random.)
func TestRaceDetectorAcceptsCorrectUse(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		n, sum := 0, 0
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				mine := 0
				for j := range 500 {
					switch (i + j) % 6 {
					case 0:
						rw.Lock()
						n++
						rw.Unlock()
					case 1:
						if rw.LockTimeout(time.Millisecond) {
							n++
							rw.Downgrade()
							mine += n
							rw.RUnlock()
						}
					case 2:
						rw.RLock()
						mine += n
						if j%2 == 0 && rw.TryUpgrade() || j%2 == 1 && rw.Upgrade(context.Background()) == nil {
							n++
							rw.Unlock()
						} else {
							rw.RUnlock()
						}
					case 3:
						if rw.TryLock() {
							n++
							rw.Unlock()
						}
					case 4:
						locks.EnableBias(rw)
					default:
						if rw.RLockTimeout(time.Millisecond) {
							mine += n
							rw.RUnlock()
						}
					}
				}
				rw.Lock()
				sum += mine
				rw.Unlock()
			})
		}
		within(t, time.Minute, wg.Wait)
		locks.CheckIdle(t, rw)
	})
}
