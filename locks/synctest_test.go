package locks_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// A bubble advances its clock only when all its goroutines are durably blocked.
// With a sync.Mutex in place of these locks every test here would hang: waiting
// for one is not durable.

func TestBubbleWithSleepingHolder(t *testing.T) {
	all := map[string]func() (lock, unlock func()){
		"RWMutex.Lock":   func() (func(), func()) { m := new(locks.RWMutex); return m.Lock, m.Unlock },
		"RWMutex.biased": func() (func(), func()) { m := new(locks.RWMutex); locks.EnableBias(m); return m.Lock, m.Unlock },
		"SpinMutex":      func() (func(), func()) { m := new(locks.SpinMutex); return m.Lock, m.Unlock },
		"Keyed": func() (func(), func()) {
			k := locks.NewKeyed[string]()
			var h locks.Held[string]
			return func() { got := k.Lock("key"); h = got }, func() { h.Unlock() }
		},
	}
	for name, make := range all {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lock, unlock := make()
				start := time.Now()
				var wg sync.WaitGroup
				for range 5 {
					wg.Go(func() {
						lock()
						time.Sleep(time.Hour)
						unlock()
					})
				}
				wg.Wait()
				require.Equal(t, 5*time.Hour, time.Since(start))
			})
		})
	}
}

func TestBubbleReadersAndWriter(t *testing.T) {
	for _, bias := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var rw locks.RWMutex
			if bias {
				locks.EnableBias(&rw)
			}
			start := time.Now()
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					rw.RLock()
					time.Sleep(time.Minute)
					rw.RUnlock()
				})
			}
			synctest.Wait()
			wg.Go(func() {
				rw.Lock() // waits for the readers
				require.Equal(t, time.Minute, time.Since(start))
				time.Sleep(time.Minute)
				rw.Unlock()
			})
			synctest.Wait()
			wg.Go(func() {
				rw.RLock() // waits for the writer
				require.Equal(t, 2*time.Minute, time.Since(start))
				rw.RUnlock()
			})
			wg.Wait()
			st := rw.Stats()
			require.Equal(t, time.Minute, st.WriteWait.Max)
			require.Equal(t, 2*time.Minute, st.ReadWait.Max)
		})
	}
}

func TestBubbleTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rw locks.RWMutex
		var m locks.SpinMutex
		k := locks.NewKeyed[int]()
		rw.Lock()
		m.Lock()
		h := k.Lock(1)
		start := time.Now()
		require.False(t, rw.LockTimeout(time.Second))
		require.Equal(t, time.Second, time.Since(start))
		require.False(t, rw.RLockTimeout(time.Second))
		require.False(t, m.LockTimeout(time.Second))
		_, ok := k.LockTimeout(1, time.Second)
		require.False(t, ok)
		require.Equal(t, 4*time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := k.RLockContext(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(start))
		rw.Unlock()
		m.Unlock()
		h.Unlock()
		require.Zero(t, k.Len())
	})
}

// TestBubbleSamplingAndHold: hold times are virtual too.
func TestBubbleSamplingAndHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rw locks.RWMutex
		rw.SetOptions(locks.RWOptions{HoldSampling: 1})
		for range 3 {
			rw.Lock()
			time.Sleep(time.Second)
			rw.Unlock()
		}
		st := rw.Stats()
		require.EqualValues(t, 3, st.WriteHold.Count)
		require.Equal(t, time.Second, st.WriteHold.Max)
	})
}
