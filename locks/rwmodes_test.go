package locks_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/locks"
)

func TestModeFollowsUse(t *testing.T) {
	if locks.RaceEnabled {
		t.Skip("too slow to be worth it")
	}
	withProcs(t, 2)
	var rw locks.RWMutex
	within(t, time.Minute, func() {
		for rw.Stats().Mode != locks.ModeStriped {
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					for range 50_000 {
						rw.RLock()
						rw.RUnlock()
					}
				})
			}
			wg.Wait()
		}
	})
	for range 1000 {
		rw.Lock()
		rw.Unlock()
	}
	require.Equal(t, locks.ModeWord, rw.Stats().Mode, "writes end bias")
	locks.CheckIdle(t, &rw)
}

func TestOneReaderStaysInTheWord(t *testing.T) {
	if !rt.Pinned {
		t.Skip("this build cannot tell threads apart")
	}
	withProcs(t, 1)
	var rw locks.RWMutex
	for range 100_000 {
		rw.RLock()
		rw.RUnlock()
	}
	require.Equal(t, locks.ModeWord, rw.Stats().Mode)
}

func TestLockInOneModeUnlockInAnother(t *testing.T) {
	withProcs(t, 2)
	var rw locks.RWMutex
	rw.RLock() // word
	require.True(t, locks.EnableBias(&rw))
	rw.RLock() // stripe
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // another thread, another stripe
		defer runtime.UnlockOSThread()
		rw.RUnlock()
		close(done)
	}()
	<-done
	require.EqualValues(t, 1, rw.Stats().ActiveReaders)
	require.False(t, rw.TryLock(), "one reader is left")
	rw.RUnlock()
	require.True(t, rw.TryLock())
	rw.Downgrade() // to a reader in the word, with bias
	require.False(t, rw.TryLock())
	rw.RUnlock() // leaves by a stripe
	locks.DisableBias(&rw)
	rw.RLock()
	rw.RUnlock()
	require.EqualValues(t, 4, rw.Stats().Reads)
	locks.CheckIdle(t, &rw)
}

// TestReaderLooksAgainAfterItCountedItselfIn: a writer got the lock between the
// reader's look at the state and its count in a stripe, which the writer missed.
func TestReaderLooksAgainAfterItCountedItselfIn(t *testing.T) {
	var rw locks.RWMutex
	require.True(t, locks.EnableBias(&rw))
	rw.Lock()
	var entered atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		rw.RLockLate()
		entered.Store(true)
	})
	waitFor(t, "the reader", func() bool { return entered.Load() || rw.Stats().Waiting == 1 })
	require.False(t, entered.Load(), "a reader beside a writer")
	rw.Unlock()
	wg.Wait()
	rw.RUnlock()
	require.EqualValues(t, 1, rw.Stats().Reads)
	locks.CheckIdle(t, &rw)
}

func TestMoreProcsWhileBiased(t *testing.T) {
	withProcs(t, 1)
	var rw locks.RWMutex
	locks.EnableBias(&rw)
	runtime.GOMAXPROCS(16)
	var g guarded
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range scaled(20_000) {
				if (i+j)%100 == 0 {
					rw.Lock()
					g.write(t)
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
	require.EqualValues(t, 32*scaled(20_000), rw.Stats().Reads+rw.Stats().Writes)
	locks.CheckIdle(t, &rw)
}

// TestCountersOverflow goes over every packed counter several times.
func TestCountersOverflow(t *testing.T) {
	const writes, reads, downgrades = 1 << 21, 1 << 18, 1 << 17
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		for range writes {
			rw.Lock()
			rw.Unlock()
		}
		locks.DisableBias(rw)
		for range reads {
			rw.RLock()
			rw.RUnlock()
		}
		locks.EnableBias(rw)
		for range downgrades {
			rw.Lock()
			rw.Downgrade()
			rw.RUnlock()
		}
		st := rw.Stats()
		require.EqualValues(t, writes+1+downgrades, st.Writes)
		require.EqualValues(t, reads+downgrades, st.Reads)
		locks.CheckIdle(t, rw)
		require.True(t, rw.TryLock(), "no phantom reader is left")
		rw.Unlock()
	})
	t.Run("downgrades with bias kept", func(t *testing.T) {
		var rw locks.RWMutex
		for range downgrades {
			locks.EnableBias(&rw)
			rw.Lock()
			rw.Downgrade()
			locks.EnableBias(&rw)
			rw.RUnlock()
		}
		require.True(t, rw.TryLock())
		rw.Unlock()
		locks.CheckIdle(t, &rw)
	})
	t.Run("parallel", func(t *testing.T) {
		withProcs(t, 8)
		var rw locks.RWMutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range scaled(100_000) {
					rw.RLock()
					rw.RUnlock()
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.EqualValues(t, 8*scaled(100_000), rw.Stats().Reads)
		locks.CheckIdle(t, &rw)
	})
}

func TestFailedTryLockAgainstBiasedReaders(t *testing.T) {
	withProcs(t, 4)
	var rw locks.RWMutex
	locks.EnableBias(&rw)
	rw.RLock() // so that every TryLock must fail
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				rw.RLock()
				runtime.Gosched()
				rw.RUnlock()
			}
		})
	}
	for range scaled(20_000) {
		if rw.TryLock() {
			t.Fatal("TryLock with a reader inside")
		}
	}
	stop.Store(true)
	within(t, time.Minute, wg.Wait)
	rw.RUnlock()
	require.Zero(t, rw.Stats().Writes)
	locks.CheckIdle(t, &rw)
}
