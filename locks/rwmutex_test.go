package locks_test

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// The method sets are those of sync.
var (
	_ sync.Locker = (*locks.RWMutex)(nil)
	_ sync.Locker = (*locks.SpinMutex)(nil)
	_ interface {
		sync.Locker
		RLock()
		RUnlock()
		TryLock() bool
		TryRLock() bool
		RLocker() sync.Locker
	} = (*locks.RWMutex)(nil)
)

func TestIdleLocksAreSmall(t *testing.T) {
	if locks.DebugEnabled {
		t.Skip("the debug switch allocates")
	}
	rws := make([]locks.RWMutex, 100_000)
	require.Zero(t, testing.AllocsPerRun(1, func() {
		for i := range rws {
			rws[i].Lock()
			rws[i].Unlock()
			rws[i].RLock()
			rws[i].RUnlock()
			if !rws[i].TryLock() {
				panic("locked")
			}
			rws[i].Unlock()
		}
	}), "an uncontended lock has nothing but its 32 bytes")
}

// TestFastPathsAreInlined guards the shape of Lock, Unlock, RLock and RUnlock: a
// call more would cost a quarter of the uncontended time.
func TestFastPathsAreInlined(t *testing.T) {
	if locks.RaceEnabled || testing.Short() {
		t.Skip("compiles the package")
	}
	if unsafe.Sizeof(uintptr(0)) == 4 {
		t.Skip("64-bit atomics are calls on this machine")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Skipf("cannot compile here: %v", err)
	}
	for _, m := range []string{
		"RWMutex).Lock", "RWMutex).Unlock", "RWMutex).RLock", "RWMutex).RUnlock",
		"SpinMutex).Lock", "SpinMutex).Unlock",
	} {
		require.Contains(t, string(out), "can inline (*"+m+"\n")
	}
}

func TestMutualExclusionAndReaders(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.RLock()
		require.True(t, rw.TryRLock())
		require.False(t, rw.TryLock())
		require.EqualValues(t, 2, rw.Stats().ActiveReaders)
		rw.RUnlock()
		rw.RUnlock()
		require.True(t, rw.TryLock())
		require.True(t, rw.Stats().Locked)
		require.False(t, rw.TryLock())
		require.False(t, rw.TryRLock())
		rw.Unlock()
		l := rw.RLocker()
		l.Lock()
		require.False(t, rw.TryLock())
		l.Unlock()
		rw.Lock()
		rw.Unlock()
		st := rw.Stats()
		require.EqualValues(t, 3, st.Reads)
		require.EqualValues(t, 2, st.Writes)
		require.Zero(t, st.Contention, "nothing waited")
		locks.CheckIdle(t, rw)
	})
}

func TestWriterKeepsNewReadersOut(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.RLock()
		locked := make(chan struct{})
		go func() { rw.Lock(); close(locked) }()
		waitFor(t, "the writer", func() bool { return rw.Stats().Waiting == 1 })
		require.False(t, rw.TryRLock(), "a reader overtook a waiting writer")
		require.False(t, rw.RLockTimeout(time.Millisecond))
		rw.RUnlock()
		<-locked
		rw.Unlock()
		st := rw.Stats()
		require.EqualValues(t, 1, st.WriteContended)
		require.EqualValues(t, 1, st.WriteParked)
		require.EqualValues(t, 1, st.WriteWait.Count)
		require.EqualValues(t, 1, st.Canceled)
		locks.CheckIdle(t, rw)
	})
}

func TestContextAndTimeout(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, rw.LockContext(ctx))
		require.False(t, rw.LockTimeout(time.Millisecond))
		require.False(t, rw.RLockTimeout(time.Millisecond))
		require.False(t, rw.LockTimeout(0))
		require.False(t, rw.LockTimeout(-1))
		require.False(t, rw.RLockTimeout(0))
		errs := make(chan error)
		go func() { errs <- rw.LockContext(ctx) }()
		go func() { errs <- rw.RLockContext(ctx) }()
		waitFor(t, "both", func() bool { return rw.Stats().Waiting == 2 })
		cancel()
		require.ErrorIs(t, <-errs, context.Canceled)
		require.ErrorIs(t, <-errs, context.Canceled)
		rw.Unlock()

		require.ErrorIs(t, rw.LockContext(ctx), context.Canceled, "a done ctx wins over a free lock")
		require.ErrorIs(t, rw.RLockContext(ctx), context.Canceled)
		cause := errors.New("cause")
		cctx, ccancel := context.WithCancelCause(context.Background())
		ccancel(cause)
		err := rw.LockContext(cctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.NoError(t, rw.RLockContext(context.Background()))
		require.True(t, rw.RLockTimeout(time.Hour))
		require.True(t, rw.RLockTimeout(-1))
		rw.RUnlock()
		rw.RUnlock()
		rw.RUnlock()
		require.True(t, rw.LockTimeout(time.Hour))
		rw.Unlock()
		st := rw.Stats()
		require.EqualValues(t, 2, st.Writes)
		require.EqualValues(t, 3, st.Reads)
		require.EqualValues(t, 4, st.Canceled)
		//lint:ignore SA1012 what a nil ctx does is under test
		require.PanicsWithValue(t, "locks: nil Context", func() { rw.LockContext(nil) })
		locks.CheckIdle(t, rw)
	})
}

func TestDowngradeLetsNoWriterIn(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		var wg sync.WaitGroup
		v := 0
		rw.Lock()
		wg.Go(func() { rw.Lock(); v++; rw.Unlock() })
		waitFor(t, "the writer", func() bool { return rw.Stats().Waiting == 1 })
		rw.Downgrade()
		require.Zero(t, v)
		require.False(t, rw.TryLock())
		rw.RUnlock()
		wg.Wait()
		require.Equal(t, 1, v)
		st := rw.Stats()
		require.EqualValues(t, 2, st.Writes)
		require.EqualValues(t, 1, st.Reads)
		locks.CheckIdle(t, rw)
	})
}

func TestDowngradeLetsReadersJoin(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.Lock()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { rw.RLock(); rw.RUnlock() })
		}
		waitFor(t, "the readers", func() bool { return rw.Stats().Waiting == 5 })
		rw.Downgrade()
		wg.Wait() // with the downgraded lock held
		rw.RUnlock()
		st := rw.Stats()
		require.EqualValues(t, 5, st.ReadContended)
		require.EqualValues(t, 5, st.ReadParked)
		require.EqualValues(t, 5, st.ReadWait.Count)
		locks.CheckIdle(t, rw)
	})
}

func TestTryUpgrade(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.RLock()
		require.True(t, rw.TryUpgrade(), "the only reader")
		require.False(t, rw.TryRLock())
		rw.Downgrade()
		rw.RLock()
		require.False(t, rw.TryUpgrade(), "two readers")
		rw.RUnlock()
		require.True(t, rw.TryUpgrade())
		rw.Unlock()

		rw.RLock()
		done := make(chan struct{})
		go func() { rw.Lock(); close(done) }()
		waitFor(t, "the writer", func() bool { return rw.Stats().Waiting == 1 })
		require.False(t, rw.TryUpgrade(), "a writer waits for this reader")
		rw.RUnlock()
		<-done
		rw.Unlock()
		st := rw.Stats()
		require.EqualValues(t, 3, st.Writes)
		require.EqualValues(t, 4, st.Reads)
		locks.CheckIdle(t, rw)
	})
}

func TestOneOfTwoUpgradersWins(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		n := 0
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range scaled(3000) {
					rw.RLock()
					if rw.TryUpgrade() {
						n++
						rw.Unlock()
					} else {
						rw.RUnlock()
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.EqualValues(t, n, rw.Stats().Writes)
		locks.CheckIdle(t, rw)
	})
}

func TestSetOptions(t *testing.T) {
	modes(t, func(t *testing.T, rw *locks.RWMutex) {
		rw.SetOptions(locks.RWOptions{Name: "cfg", HoldSampling: 2, NoBias: true})
		st := rw.Stats()
		require.Equal(t, "cfg", st.Name)
		require.Equal(t, locks.ModeWord, st.Mode, "NoBias ends bias")
		require.EqualValues(t, 1, st.Writes, "SetOptions itself")
		require.Zero(t, st.Reads)
		for range 10 {
			rw.Lock()
			rw.Unlock()
		}
		for range 10 {
			require.True(t, rw.TryLock())
			rw.Downgrade()
			rw.RUnlock()
		}
		st = rw.Stats()
		require.EqualValues(t, 10, st.WriteHold.Count, "every second write")
		require.EqualValues(t, 21, st.Writes)
		rw.SetOptions(locks.RWOptions{})
		rw.Lock()
		rw.Unlock()
		require.EqualValues(t, 10, rw.Stats().WriteHold.Count)
		locks.CheckIdle(t, rw)
	})
}
