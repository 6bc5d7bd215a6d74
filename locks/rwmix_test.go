package locks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// guarded is data that is torn if two writers, or a writer and a reader, are
// inside at once.
type guarded struct {
	a, b    uint64
	_       [120]byte
	c       uint64
	readers atomic.Int64
	writers atomic.Int64
}

func (g *guarded) write(t *testing.T) {
	if w, r := g.writers.Add(1), g.readers.Load(); w != 1 || r != 0 {
		t.Errorf("%d writers and %d readers inside", w, r)
	}
	g.a++
	g.b++
	g.c++
	g.writers.Add(-1)
}

func (g *guarded) read(t *testing.T) {
	g.readers.Add(1)
	if w := g.writers.Load(); w != 0 {
		t.Errorf("%d writers inside with a reader", w)
	}
	if a, b, c := g.a, g.b, g.c; a != b || b != c {
		t.Errorf("torn: %d %d %d", a, b, c)
	}
	g.readers.Add(-1)
}

// TestExactCountsUnderMixes runs all operations beside each other, with modes
// switching under them, and compares every count with what was done.
func TestExactCountsUnderMixes(t *testing.T) {
	for _, writes := range []int{0, 1, 10, 50, 100} {
		t.Run(fmt.Sprintf("writes=%d%%", writes), func(t *testing.T) {
			forEachProcs(t, func(t *testing.T) { mixAll(t, writes) })
		})
	}
}

func mixAll(t *testing.T, writePercent int) {
	var rw locks.RWMutex
	var g guarded
	mixers := make([]mixer, 8)
	var wg sync.WaitGroup
	for i := range mixers {
		m := &mixers[i]
		*m = mixer{t: t, rw: &rw, g: &g, rng: rand.New(rand.NewPCG(uint64(i), 7))}
		wg.Go(func() {
			for range scaled(20_000) {
				if m.rng.IntN(100) < writePercent {
					m.writeOnce()
				} else {
					m.readOnce()
				}
			}
		})
	}
	stop := make(chan struct{})
	disabled := uint64(0)
	var side sync.WaitGroup
	side.Go(func() {
		for on := true; ; on = !on {
			select {
			case <-stop:
				return
			default:
			}
			if on {
				locks.EnableBias(&rw)
			} else if writePercent > 0 {
				locks.DisableBias(&rw)
				disabled++
			}
			for range 20 {
				runtime.Gosched()
			}
			st := rw.Stats()
			if st.ActiveReaders < 0 || st.ReadContended > st.Reads || st.WriteContended > st.Writes || st.Contention > 1 {
				t.Errorf("inconsistent: %+v", st)
			}
		}
	})
	within(t, time.Minute, wg.Wait)
	close(stop)
	within(t, time.Minute, side.Wait)
	var reads, writes, canceled uint64
	for i := range mixers {
		reads, writes, canceled = reads+mixers[i].reads, writes+mixers[i].writes, canceled+mixers[i].canceled
	}
	st := rw.Stats()
	require.Equal(t, reads, st.Reads)
	require.Equal(t, writes+disabled, st.Writes)
	require.GreaterOrEqual(t, st.Canceled, canceled)
	require.Equal(t, writes, g.a)
	locks.CheckIdle(t, &rw)
	rw.Lock()
	rw.Unlock()
}

// mixer does operations of all kinds, chosen at random, and counts what it did.
type mixer struct {
	t   *testing.T
	rw  *locks.RWMutex
	g   *guarded
	rng *rand.Rand

	reads, writes, canceled uint64
}

// soon is some microseconds, or none.
func (m *mixer) soon() time.Duration { return time.Duration(m.rng.IntN(20)) * time.Microsecond }

func (m *mixer) lock() bool {
	switch m.rng.IntN(6) {
	case 0:
		return m.rw.TryLock()
	case 1:
		d := m.soon()
		ok := m.rw.LockTimeout(d)
		if !ok && d > 0 {
			m.canceled++
		}
		return ok
	case 2:
		ctx, cancel := context.WithTimeout(context.Background(), m.soon())
		defer cancel()
		return m.rw.LockContext(ctx) == nil
	case 3:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return m.rw.LockContext(ctx) == nil
	}
	m.rw.Lock()
	return true
}

func (m *mixer) rLock() bool {
	switch m.rng.IntN(5) {
	case 0:
		return m.rw.TryRLock()
	case 1:
		return m.rw.RLockTimeout(m.soon())
	case 2:
		return m.rw.RLockContext(context.Background()) == nil
	}
	m.rw.RLock()
	return true
}

func (m *mixer) writeOnce() {
	if !m.lock() {
		return
	}
	m.writes++
	m.g.write(m.t)
	if m.rng.IntN(4) > 0 {
		m.rw.Unlock()
		return
	}
	m.rw.Downgrade()
	m.reads++
	m.g.read(m.t)
	if m.upgrade() {
		m.writes++
		m.g.write(m.t)
		m.rw.Unlock()
		return
	}
	m.rw.RUnlock()
}

// upgrade tries one of the ways to make a read lock a write lock, or none.
func (m *mixer) upgrade() bool {
	switch m.rng.IntN(4) {
	case 0:
		return m.rw.TryUpgrade()
	case 1:
		return m.rw.Upgrade(context.Background()) == nil
	case 2:
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(m.rng.IntN(50))*time.Microsecond)
		defer cancel()
		return m.rw.Upgrade(ctx) == nil
	}
	return false
}

func (m *mixer) readOnce() {
	if !m.rLock() {
		return
	}
	m.reads++
	m.g.read(m.t)
	if m.rng.IntN(50) > 0 {
		m.rw.RUnlock()
		return
	}
	// By another goroutine, and perhaps in another mode.
	done := make(chan struct{})
	go func() { m.rw.RUnlock(); close(done) }()
	<-done
}

// TestExclusionAcrossModeSwitches is a plain hammer while bias comes and goes.
func TestExclusionAcrossModeSwitches(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var rw locks.RWMutex
		var g guarded
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for j := range scaled(500_000) {
					if (i+j)%16 == 0 {
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
		var stop atomic.Bool
		disabled := uint64(0)
		var side sync.WaitGroup
		side.Go(func() {
			for !stop.Load() {
				locks.EnableBias(&rw)
				runtime.Gosched()
				locks.DisableBias(&rw)
				disabled++
			}
		})
		within(t, time.Minute, wg.Wait)
		stop.Store(true)
		side.Wait()
		require.Equal(t, g.a+disabled, rw.Stats().Writes)
		locks.CheckIdle(t, &rw)
	})
}
