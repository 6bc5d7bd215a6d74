package locks_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// TestWhoeverOpensTheLockLetsInTheReaders lets readers and writers fall asleep and
// then opens the lock in each way there is: all readers must get in before the next
// writer does, even one that asks at the same moment.
func TestWhoeverOpensTheLockLetsInTheReaders(t *testing.T) {
	const readers = 5
	openers := map[string]func(rw *locks.RWMutex) (open func()){
		"Unlock": func(rw *locks.RWMutex) func() {
			rw.Lock()
			return rw.Unlock
		},
		"Downgrade": func(rw *locks.RWMutex) func() {
			rw.Lock()
			return func() { rw.Downgrade(); rw.RUnlock() }
		},
		"a writer that gives up": func(rw *locks.RWMutex) func() {
			rw.RLock()
			ctx, cancel := context.WithCancel(context.Background())
			failed := make(chan error)
			go func() { failed <- rw.LockContext(ctx) }()
			waitFor(t, "the draining writer", func() bool { return rw.Stats().Waiting == 1 })
			return func() {
				cancel()
				<-failed
				rw.RUnlock()
			}
		},
	}
	for name, opener := range openers {
		t.Run(name, func(t *testing.T) {
			forEachProcs(t, func(t *testing.T) {
				modes(t, func(t *testing.T, rw *locks.RWMutex) {
					for range 20 {
						open := opener(rw)
						asleep := rw.Stats().Waiting
						var in atomic.Int32
						var wg sync.WaitGroup
						write := func() {
							rw.Lock()
							if n := in.Load(); n != readers {
								t.Errorf("a writer got in when %d of %d readers had been", n, readers)
							}
							rw.Unlock()
						}
						wg.Go(write)
						waitFor(t, "the writer", func() bool { return rw.Stats().Waiting == asleep+1 })
						for range readers {
							wg.Go(func() { rw.RLock(); in.Add(1); rw.RUnlock() })
						}
						waitFor(t, "the readers", func() bool { return rw.Stats().Waiting == asleep+1+readers })
						open()
						write()
						within(t, time.Minute, wg.Wait)
					}
					locks.CheckIdle(t, rw)
				})
			})
		})
	}
}

// TestReadersAndWritersTakeTurns is readers and writers that come back at once, in
// virtual time: a reader waits for the writer before it and for the readers that
// this one waits for, a writer for all other writers and the readers between them.
func TestReadersAndWritersTakeTurns(t *testing.T) {
	const readers, writers, rounds = 20, 5, 40
	for _, bias := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var rw locks.RWMutex
			if bias {
				locks.EnableBias(&rw)
			}
			var wg sync.WaitGroup
			var worstRead, worstWrite time.Duration // guarded by mu
			var reads atomic.Int32
			var mu sync.Mutex
			longest := func(to *time.Duration, since time.Time) {
				mu.Lock()
				defer mu.Unlock()
				*to = max(*to, time.Since(since))
			}
			var stop atomic.Bool
			start := time.Now()
			for range readers {
				wg.Go(func() {
					for !stop.Load() {
						asked := time.Now()
						rw.RLock()
						longest(&worstRead, asked)
						time.Sleep(time.Second)
						rw.RUnlock()
						reads.Add(1)
					}
				})
			}
			for range writers {
				wg.Go(func() {
					for range rounds {
						asked := time.Now()
						rw.Lock()
						longest(&worstWrite, asked)
						time.Sleep(time.Second)
						rw.Unlock()
					}
					stop.Store(true)
				})
			}
			wg.Wait()
			require.LessOrEqual(t, worstRead, 2*time.Second)
			require.LessOrEqual(t, worstWrite, 2*(writers+1)*time.Second, "one may overtake")
			require.LessOrEqual(t, time.Since(start), (2*writers*rounds+2)*time.Second)
			require.Greater(t, int(reads.Load()), readers*writers*(rounds-2), "all readers between any two writers")
			locks.CheckIdle(t, &rw)
		})
	}
}

// TestOvertakenInABubble overtakes one sleeper again and again while the clock
// stands.
func TestOvertakenInABubble(t *testing.T) {
	withProcs(t, 1)
	var rw, biased locks.RWMutex
	locks.EnableBias(&biased)
	var m locks.SpinMutex
	for name, c := range map[string]struct {
		lock, unlock, wait, leave func()
		laps                      int
	}{
		"reader":         {rw.Lock, rw.Unlock, rw.RLock, rw.RUnlock, 1},
		"writer":         {rw.Lock, rw.Unlock, rw.Lock, rw.Unlock, locks.MaxTries + 5},
		"striped reader": {biased.Lock, biased.Unlock, biased.RLock, biased.RUnlock, 1},
		"striped writer": {biased.Lock, biased.Unlock, biased.Lock, biased.Unlock, locks.MaxTries + 5},
		"SpinMutex":      {m.Lock, m.Unlock, m.Lock, m.Unlock, locks.MaxTries + 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var in atomic.Bool
				c.lock()
				go func() { c.wait(); in.Store(true); c.leave() }()
				synctest.Wait()
				laps := 0
				for ; !in.Load() && laps < 10*locks.MaxTries; laps++ {
					c.unlock()
					c.lock()
					runtime.Gosched()
				}
				c.unlock()
				require.True(t, in.Load())
				require.LessOrEqual(t, laps, c.laps)
			})
		})
	}
	locks.CheckIdle(t, &rw)
	locks.CheckSpinIdle(t, &m)
}

// TestNobodyIsForgottenWhileOthersStarve keeps most goroutines asleep for longer
// than 1 ms, so that the lock is handed over all the time.
func TestNobodyIsForgottenWhileOthersStarve(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		for _, writes := range []uint32{1, 10, 50, 100} {
			var rw locks.RWMutex
			var stop atomic.Bool
			var wg sync.WaitGroup
			for i := range uint32(128) {
				wg.Go(func() {
					x := i * 2654435761
					for !stop.Load() {
						x = x*1664525 + 1013904223
						switch {
						case x>>8%100 >= writes:
							rw.RLock()
							spend(50)
							rw.RUnlock()
						case x>>16%16 > 0:
							rw.Lock()
							spend(50)
							rw.Unlock()
						case rw.LockTimeout(time.Duration(x>>20) * time.Microsecond):
							rw.Unlock()
						}
					}
				})
			}
			time.Sleep(time.Duration(scaled(200)) * time.Millisecond) // real time: what happens meanwhile is the subject
			stop.Store(true)
			within(t, time.Minute, wg.Wait)
			locks.CheckIdle(t, &rw)
		}
	})
}
