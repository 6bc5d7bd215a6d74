package locks_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

func TestUpgradeWaitsForTheOtherReaders(t *testing.T) {
	for _, bias := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var rw locks.RWMutex
			if bias {
				locks.EnableBias(&rw)
			}
			rw.SetOptions(locks.RWOptions{HoldSampling: 1})
			start := time.Now()
			var wg sync.WaitGroup
			for i := range 3 {
				rw.RLock()
				wg.Go(func() {
					time.Sleep(time.Duration(i+1) * time.Second)
					rw.RUnlock()
				})
			}
			rw.RLock()
			writer := func() { // gets in after the upgraded one only
				time.Sleep(time.Millisecond)
				rw.Lock()
				require.Equal(t, 4*time.Second, time.Since(start))
				rw.Unlock()
			}
			wg.Go(writer)
			wg.Go(func() {
				time.Sleep(time.Millisecond)
				rw.RLock() // so does a new reader
				require.Equal(t, 4*time.Second, time.Since(start))
				rw.RUnlock()
			})
			require.NoError(t, rw.Upgrade(t.Context()))
			require.Equal(t, 3*time.Second, time.Since(start))
			require.False(t, rw.TryRLock())
			time.Sleep(time.Second)
			rw.Unlock()
			wg.Wait()
			st := rw.Stats()
			require.EqualValues(t, 3, st.Writes, "SetOptions, the upgraded one, the writer")
			require.EqualValues(t, 5, st.Reads)
			require.Equal(t, time.Second, st.WriteHold.Max, "a hold that came by Upgrade is timed too")
			require.Equal(t, 3*time.Second+999*time.Millisecond, st.WriteWait.Max)
			locks.CheckIdle(t, &rw)
		})
	}
}

func TestTheSecondUpgraderIsTold(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.RLock()
		rw.RLock()
		first := make(chan error)
		go func() { first <- rw.Upgrade(context.Background()) }()
		waitFor(t, "the first", func() bool { return rw.Stats().Waiting == 1 })
		require.ErrorIs(t, rw.Upgrade(context.Background()), locks.ErrUpgradeConflict)
		require.False(t, rw.TryUpgrade())
		rw.RUnlock() // it still held its read lock
		require.NoError(t, <-first)
		rw.Unlock()

		rw.RLock()
		locked := make(chan struct{})
		go func() { rw.Lock(); close(locked) }()
		waitFor(t, "a writer", func() bool { return rw.Stats().Waiting == 1 })
		require.ErrorIs(t, rw.Upgrade(context.Background()), locks.ErrUpgradeConflict, "a writer waits for this reader")
		rw.RUnlock()
		<-locked
		rw.Unlock()
		locks.CheckIdle(t, rw)
	})
}

func TestUpgradeThatGivesUpIsAReaderAgain(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(context.Background())
		rw.RLock()
		rw.RLock()
		failed := make(chan error)
		go func() { failed <- rw.Upgrade(ctx) }()
		waitFor(t, "the upgrader", func() bool { return rw.Stats().Waiting == 1 })
		var wg sync.WaitGroup
		wg.Go(func() { rw.Lock(); rw.Unlock() })
		wg.Go(func() { rw.RLock(); rw.RUnlock() })
		waitFor(t, "others", func() bool { return rw.Stats().Waiting == 3 })
		cancel(why)
		err := <-failed
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, rw.Upgrade(ctx), why, "a done ctx wins")
		// A reader that came before the writer is let in when the upgrader gives up.
		waitFor(t, "the writer's turn", func() bool { st := rw.Stats(); return st.Locked && st.ActiveReaders == 2 })
		rw.RUnlock()
		rw.RUnlock()
		within(t, time.Minute, wg.Wait)
		//lint:ignore SA1012 what a nil ctx does is under test
		require.PanicsWithValue(t, "locks: nil Context", func() { rw.Upgrade(nil) })
		st := rw.Stats()
		require.EqualValues(t, 1, st.Writes)
		require.EqualValues(t, 3, st.Reads)
		locks.CheckIdle(t, rw)
	})
}

// TestEveryHoldIsSampled times the holds of writers that came by each way.
func TestEveryHoldIsSampled(t *testing.T) {
	for name, lock := range map[string]func(*locks.RWMutex){
		"Lock":        (*locks.RWMutex).Lock,
		"TryLock":     func(rw *locks.RWMutex) { rw.TryLock() },
		"LockTimeout": func(rw *locks.RWMutex) { rw.LockTimeout(time.Hour) },
		"LockContext": func(rw *locks.RWMutex) { rw.LockContext(context.Background()) },
		"TryUpgrade":  func(rw *locks.RWMutex) { rw.RLock(); rw.TryUpgrade() },
		"Upgrade":     func(rw *locks.RWMutex) { rw.RLock(); rw.Upgrade(context.Background()) },
	} {
		for _, bias := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var rw locks.RWMutex
				if bias {
					locks.EnableBias(&rw)
				}
				rw.SetOptions(locks.RWOptions{HoldSampling: 1})
				lock(&rw)
				time.Sleep(time.Second)
				rw.Unlock()
				lock(&rw)
				time.Sleep(time.Second)
				rw.Downgrade()
				rw.RUnlock()
				require.EqualValues(t, 2, rw.Stats().WriteHold.Count, name)
				require.Equal(t, time.Second, rw.Stats().WriteHold.Max, name)
			})
		}
	}
}

func init() {
	children["limit/RLock"] = func() { m := full(); m.RLock() }
	children["limit/sleepers"] = func() {
		m := full()
		m.ReaderToWriter() // not by Lock, which would wait for the readers
		go m.RLock()
		go m.RLock()
		for m.Stats().Waiting < 2 {
		}
		m.Unlock()
	}
}

// full returns a lock with as many readers in the word as may be.
func full() *locks.RWMutex {
	m := new(locks.RWMutex)
	m.FillReaders()
	return m
}

func TestTooManyReaders(t *testing.T) {
	m := full()
	require.False(t, m.TryRLock(), "one more would be too many")
	require.EqualValues(t, 1<<22-1, m.Stats().ActiveReaders)
	require.False(t, m.TryLock())
	m.RUnlock()
	require.True(t, m.TryRLock())
	require.False(t, m.TryRLock())
	require.True(t, locks.EnableBias(m))
	require.True(t, m.TryRLock(), "stripes count farther")
	for _, name := range []string{"limit/RLock", "limit/sleepers"} {
		out, err := child(t, name)
		require.Error(t, err)
		require.Contains(t, out, "fatal error: "+locks.ErrReaders)
	}
}
