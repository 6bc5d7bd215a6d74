package locks_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

func TestCancelingADrainingWriterLetsReadersResume(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.RLock()
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error)
		go func() { failed <- rw.LockContext(ctx) }()
		waitFor(t, "the writer", func() bool { return rw.Stats().Waiting == 1 })
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { rw.RLock(); rw.RUnlock() })
		}
		waitFor(t, "the readers", func() bool { return rw.Stats().Waiting == 6 })
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		within(t, time.Minute, wg.Wait) // while the first reader stays inside
		rw.RUnlock()
		st := rw.Stats()
		require.EqualValues(t, 6, st.Reads)
		require.Zero(t, st.Writes)
		locks.CheckIdle(t, rw)
	})
}

// TestCancelRacingAWakeUp cancels at the moment of the unlock.
func TestCancelRacingAWakeUp(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		modes(t, func(t *testing.T, rw *locks.RWMutex) {
			for i := range scaled(6000) {
				ctx, cancel := context.WithCancel(context.Background())
				rw.Lock()
				var wg sync.WaitGroup
				for j := range 3 {
					wg.Go(func() {
						if (i+j)%2 == 0 {
							if rw.LockContext(ctx) == nil {
								rw.Unlock()
							}
						} else if rw.RLockContext(ctx) == nil {
							rw.RUnlock()
						}
					})
				}
				wg.Go(func() { rw.Lock(); rw.Unlock() }) // would hang if a wake-up were lost
				if i%3 > 0 {
					waitFor(t, "sleepers", func() bool { return rw.Stats().Waiting >= i%4 })
				}
				go cancel()
				rw.Unlock()
				within(t, time.Minute, wg.Wait)
				cancel()
			}
			locks.CheckIdle(t, rw)
		})
	})
}

// TestHandoffAfterStarving overtakes a sleeper until it has waited for more than
// 1 ms; then the lock must be handed to it.
func TestHandoffAfterStarving(t *testing.T) {
	withProcs(t, 1) // what is woken does not run before this goroutine lets it
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.Lock()
		let, done := make(chan struct{}), make(chan struct{})
		go func() {
			rw.Lock()
			<-let
			rw.Unlock()
			close(done)
		}()
		waitFor(t, "the sleeper", func() bool { return rw.Stats().Waiting == 1 })
		time.Sleep(2 * locks.Starving) // real time: how long a sleeper has waited is the subject
		within(t, 20*time.Second, func() {
			for !rw.Reserved() {
				rw.Unlock()
				rw.Lock()
				runtime.Gosched() // let it find the lock taken
			}
		})
		rw.Unlock()
		require.False(t, rw.TryLock(), "the lock is the sleeper's already")
		require.True(t, rw.TryRLock(), "but a reader need not wait until it runs")
		rw.RUnlock()
		close(let)
		<-done
		require.EqualValues(t, 1, rw.Stats().Handoffs)
		locks.CheckIdle(t, rw)
	})
}

func TestSleepersGetPastAHog(t *testing.T) {
	withProcs(t, 2)
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		// One goroutine that all but never lets go.
		var stop atomic.Bool
		var hog sync.WaitGroup
		hog.Go(func() {
			for !stop.Load() {
				rw.Lock()
				for start := time.Now(); time.Since(start) < 200*time.Microsecond; {
				}
				rw.Unlock()
			}
		})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 5 {
					if i%2 == 0 {
						rw.Lock()
						rw.Unlock()
					} else {
						rw.RLock()
						rw.RUnlock()
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		stop.Store(true)
		hog.Wait()
		locks.CheckIdle(t, rw)
	})
}

func TestWriterAmongEndlessReaders(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var rw locks.RWMutex
		locks.EnableBias(&rw)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for !stop.Load() {
					rw.RLock()
					spend(100)
					rw.RUnlock()
				}
			})
		}
		within(t, 30*time.Second, func() {
			for range 30 {
				rw.Lock()
				rw.Unlock()
			}
		})
		stop.Store(true)
		wg.Wait()
		locks.CheckIdle(t, &rw)
	})
}

func TestThousandGoroutinesOnOneP(t *testing.T) {
	withProcs(t, 1)
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		var g guarded
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				for j := range 20 {
					if (i+j)%10 == 0 {
						rw.Lock()
						g.write(t)
						runtime.Gosched() // be descheduled with the lock held
						rw.Unlock()
					} else {
						rw.RLock()
						g.read(t)
						rw.RUnlock()
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.EqualValues(t, 2000, rw.Stats().Writes)
		require.EqualValues(t, 18000, rw.Stats().Reads)
		locks.CheckIdle(t, rw)
	})
}

// TestUnlockStorm releases many readers at the same moment, onto one writer.
func TestUnlockStorm(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		modes(t, func(t *testing.T, rw *locks.RWMutex) {
			for range scaled(200) {
				const n = 20
				var in, out sync.WaitGroup
				open := make(chan struct{})
				in.Add(n)
				for range n {
					out.Go(func() {
						rw.RLock()
						in.Done()
						<-open
						rw.RUnlock()
					})
				}
				in.Wait()
				out.Go(func() { rw.Lock(); rw.Unlock() })
				close(open)
				within(t, time.Minute, out.Wait)
			}
			locks.CheckIdle(t, rw)
		})
	})
}

// TestStatsBlockNobody keeps Stats in a loop beside writers.
func TestStatsBlockNobody(t *testing.T) {
	withProcs(t, 4)
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for !stop.Load() {
					rw.Stats()
				}
			})
		}
		within(t, 20*time.Second, func() {
			for i := range scaled(50_000) {
				if i%10 == 0 {
					rw.Lock()
					rw.Unlock()
				} else {
					rw.RLock()
					rw.RUnlock()
				}
			}
		})
		stop.Store(true)
		wg.Wait()
		require.EqualValues(t, scaled(50_000), rw.Stats().Reads+rw.Stats().Writes)
	})
}

// TestCancelJustBeforeTheWakeUp ends a wait before the goroutine that is first in
// the queue can see its wake-up, or that the lock was handed to it: it must pass
// on what it got.
func TestCancelJustBeforeTheWakeUp(t *testing.T) {
	withProcs(t, 1) // so that what is woken does not run before this goroutine waits
	type lock struct {
		name         string
		lock, unlock func()
		lockContext  func(context.Context) error
		release      func() // of lockContext
		reserve      func()
		waiting      func() int
	}
	var rw locks.RWMutex
	var m locks.SpinMutex
	rwWaiting := func() int { return rw.Stats().Waiting }
	for _, l := range []lock{
		{"writer", rw.Lock, rw.Unlock, rw.LockContext, rw.Unlock, rw.Reserve, rwWaiting},
		{"reader", rw.Lock, rw.Unlock, rw.RLockContext, rw.RUnlock, rw.Reserve, rwWaiting},
		{"SpinMutex", m.Lock, m.Unlock, m.LockContext, m.Unlock, m.Reserve, func() int { return m.Stats().Waiting }},
	} {
		for _, handedOver := range []bool{false, true} {
			for range 10 {
				l.lock()
				ctx, cancel := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				wg.Go(func() {
					if l.lockContext(ctx) == nil {
						l.release()
					}
				})
				waitFor(t, l.name, func() bool { return l.waiting() == 1 })
				wg.Go(func() { l.lock(); l.unlock() })
				waitFor(t, "the next", func() bool { return l.waiting() == 2 })
				if handedOver {
					l.reserve()
				}
				cancel()
				l.unlock()
				within(t, 20*time.Second, wg.Wait)
			}
		}
	}
	locks.CheckIdle(t, &rw)
	locks.CheckSpinIdle(t, &m)
	require.EqualValues(t, 40, rw.Stats().Canceled)
	require.EqualValues(t, 20, m.Stats().Canceled)
}
