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

func TestSpinMutexBasics(t *testing.T) {
	var m locks.SpinMutex
	m.Lock()
	require.False(t, m.TryLock())
	require.True(t, m.Stats().Locked)
	require.False(t, m.LockTimeout(time.Millisecond))
	require.False(t, m.LockTimeout(0))
	m.Unlock()
	require.True(t, m.LockTimeout(-1))
	m.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	require.NoError(t, m.LockContext(ctx))
	failed := make(chan error)
	go func() { failed <- m.LockContext(ctx) }()
	waitFor(t, "the waiter", func() bool { return m.Stats().Waiting == 1 })
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	m.Unlock()
	require.ErrorIs(t, m.LockContext(ctx), context.Canceled, "a done ctx wins over a free lock")
	st := m.Stats()
	require.EqualValues(t, 3, st.Acquired)
	require.EqualValues(t, 2, st.Canceled)
	require.EqualValues(t, 2, st.Parked)
	require.Zero(t, st.Contention)
	locks.CheckSpinIdle(t, &m)
}

func TestSpinMutexExactCountsUnderMixes(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var m locks.SpinMutex
		n, total := uint64(0), atomic.Uint64{}
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				got := uint64(0)
				for j := range scaled(4000) {
					ok := true
					switch (i + j) % 4 {
					case 0:
						ok = m.TryLock()
					case 1:
						ok = m.LockTimeout(time.Duration(j%20) * time.Microsecond)
					default:
						m.Lock()
					}
					if ok {
						n++
						got++
						if j%64 == 0 {
							runtime.Gosched()
						}
						m.Unlock()
					}
				}
				total.Add(got)
			})
		}
		within(t, time.Minute, wg.Wait)
		require.Equal(t, total.Load(), n)
		st := m.Stats()
		require.Equal(t, n, st.Acquired)
		require.LessOrEqual(t, st.Contended, st.Acquired)
		locks.CheckSpinIdle(t, &m)
	})
}

func TestSpinMutexCancelRacingAWakeUp(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var m locks.SpinMutex
		for i := range scaled(6000) {
			ctx, cancel := context.WithCancel(context.Background())
			m.Lock()
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if m.LockContext(ctx) == nil {
						m.Unlock()
					}
				})
			}
			wg.Go(func() { m.Lock(); m.Unlock() })
			if i%2 > 0 {
				waitFor(t, "sleepers", func() bool { return m.Stats().Waiting >= i%4 })
			}
			go cancel()
			m.Unlock()
			within(t, time.Minute, wg.Wait)
			cancel()
		}
		locks.CheckSpinIdle(t, &m)
	})
}

// TestSpinMutexCountFolds goes over the packed count by each way in.
func TestSpinMutexCountFolds(t *testing.T) {
	var m locks.SpinMutex
	want := uint64(1<<29 - 2)
	m.CountUses(want)
	for range 3 {
		m.Lock()
		m.Unlock()
		require.True(t, m.TryLock())
		m.Unlock()
		require.True(t, m.LockSlow())
		m.Unlock()
		want += 3
		require.Equal(t, want, m.Stats().Acquired)
		m.CountUses(locks.SpinFold) // full again, if it was folded
		want += locks.SpinFold
	}
	require.EqualValues(t, 3*locks.SpinFold, m.Folded())
	locks.CheckSpinIdle(t, &m)
}

// TestSpinMutexPhantomPassesTheUnlockOn: the holder leaves while another goroutine
// has added itself in vain and is not out again. Who is out last must wake the
// sleeper.
func TestSpinMutexPhantomPassesTheUnlockOn(t *testing.T) {
	for _, handedOver := range []bool{false, true} {
		var m locks.SpinMutex
		m.Lock()
		done := make(chan struct{})
		go func() { m.Lock(); close(done) }()
		waitFor(t, "the sleeper", func() bool { return m.Stats().Waiting == 1 })
		if handedOver {
			m.Reserve() // reserved for the sleeper
		}
		m.EnterInVain()
		m.Unlock()
		require.False(t, m.TryLock(), "the phantom is inside")
		require.Equal(t, 1, m.Stats().Waiting)
		m.LeaveAgain()
		within(t, 20*time.Second, func() { <-done })
		m.Unlock()
		require.EqualValues(t, 2, m.Stats().Acquired)
		require.Equal(t, handedOver, m.Stats().Handoffs == 1)
		locks.CheckSpinIdle(t, &m)
	}
}

// TestHolderDescheduledBurnsNoCPU: while the holder is away waiters sleep; they
// burn nothing.
func TestHolderDescheduledBurnsNoCPU(t *testing.T) {
	withProcs(t, 2)
	all := map[string]sync.Locker{"SpinMutex": new(locks.SpinMutex), "RWMutex": new(locks.RWMutex)}
	for name, l := range all {
		t.Run(name, func(t *testing.T) {
			before := cpuTime(t)
			start := time.Now()
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 3 {
						l.Lock()
						time.Sleep(10 * time.Millisecond) // real time: a holder that the scheduler took away
						l.Unlock()
					}
				})
			}
			within(t, time.Minute, wg.Wait)
			wall, cpu := time.Since(start), cpuTime(t)-before
			require.GreaterOrEqual(t, wall, 240*time.Millisecond)
			require.Less(t, cpu, wall/2, "waiters burn the processor")
			if m, ok := l.(*locks.SpinMutex); ok {
				require.NotZero(t, m.Stats().Parked)
			}
		})
	}
}

func TestSpinMutexNeverCollapsesOnOneP(t *testing.T) {
	withProcs(t, 1)
	var m locks.SpinMutex
	n := 0
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range scaled(500) {
				m.Lock()
				n++
				if n%100 == 0 {
					runtime.Gosched()
				}
				m.Unlock()
			}
		})
	}
	within(t, 10*time.Second, wg.Wait)
	require.Equal(t, 200*scaled(500), n)
	require.Zero(t, m.Stats().Polls, "polling with one P is of no use")
	locks.CheckSpinIdle(t, &m)
}

// TestSpinMutexHandoffAfterStarving overtakes a sleeper until it has waited for more
// than 1 ms; then the lock must be handed to it.
func TestSpinMutexHandoffAfterStarving(t *testing.T) {
	withProcs(t, 1) // what is woken does not run before this goroutine lets it
	var m locks.SpinMutex
	m.Lock()
	let, done := make(chan struct{}), make(chan struct{})
	go func() {
		m.Lock()
		<-let
		m.Unlock()
		close(done)
	}()
	waitFor(t, "the sleeper", func() bool { return m.Stats().Waiting == 1 })
	time.Sleep(2 * locks.Starving) // real time: how long a sleeper has waited is the subject
	within(t, 20*time.Second, func() {
		for !m.Reserved() {
			m.Unlock()
			m.Lock()
			runtime.Gosched() // let it find the lock taken
		}
	})
	m.Unlock()
	require.False(t, m.TryLock(), "the lock is the sleeper's already")
	close(let)
	<-done
	require.EqualValues(t, 1, m.Stats().Handoffs)
	locks.CheckSpinIdle(t, &m)
}

func TestSpinMutexSleepersGetPastAHog(t *testing.T) {
	withProcs(t, 2)
	var m locks.SpinMutex
	var stop atomic.Bool
	var hog sync.WaitGroup
	hog.Go(func() {
		for !stop.Load() {
			m.Lock()
			for start := time.Now(); time.Since(start) < 200*time.Microsecond; {
			}
			m.Unlock()
		}
	})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 5 {
				m.Lock()
				m.Unlock()
			}
		})
	}
	within(t, time.Minute, wg.Wait)
	stop.Store(true)
	hog.Wait()
	locks.CheckSpinIdle(t, &m)
}

func TestSpinMutexAllocatesNothing(t *testing.T) {
	if locks.DebugEnabled {
		t.Skip("the debug switch allocates")
	}
	var m locks.SpinMutex
	var rw locks.RWMutex
	locks.EnableBias(&rw)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		m.Lock()
		m.Unlock()
		rw.RLock()
		rw.RUnlock()
		rw.Lock()
		rw.Unlock()
	}))
}
