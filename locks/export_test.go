package locks

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the tests of behaviour, which stand outside, need of the inside: to bring a lock
// into a state that takes luck or years, and to look whether an idle one is clean.

const (
	RaceEnabled  = raceEnabled
	DebugEnabled = debugEnabled
	ErrReaders   = errReaders
	Starving     = starving
	MaxTries     = maxTries
	SpinFold     = spinFold
)

// EnableBias switches rw to stripes now, if it is not closed, and reports whether
// it did.
//
//go:norace
func EnableBias(rw *RWMutex) bool {
	raceDisable()
	defer raceEnable()
	return rw.bias(rw.extend())
}

// DisableBias takes the write lock, which counts as a write, and switches rw back
// to the word.
//
//go:norace
func DisableBias(rw *RWMutex) {
	raceDisable()
	defer raceEnable()
	rw.lockSlow(nil)
	if rw.load()&biased != 0 {
		rw.unbias(rw.x.Load())
	}
	if s := rw.add(wLock); s&unlockMask != 0 {
		rw.unlockSlow(s, errUnlock)
	}
}

// CheckIdle verifies the invariants of a lock that nobody uses.
//
//go:norace
func CheckIdle(t *testing.T, rw *RWMutex) {
	t.Helper()
	raceDisable()
	defer raceEnable()
	s := rw.load()
	require.Zero(t, s&(closed|drainParked|waiting|woken|readersAsleep), "flags of an idle lock: %x", s)
	require.Equal(t, s&biased != 0, atomic.LoadUint64(&rw.writes) >= striped, "striped says what biased says: %x", s)
	st := rw.stats()
	require.Zero(t, st.ActiveReaders, "readers in an idle lock")
	require.Zero(t, st.Waiting)
	require.False(t, st.Locked)
	if x := rw.x.Load(); x != nil {
		require.Nil(t, x.q.head)
		require.Nil(t, x.readers.head)
		require.Nil(t, x.drainer)
	}
}

func CheckSpinIdle(t *testing.T, m *SpinMutex) {
	t.Helper()
	require.Zero(t, m.load()&(spinClosed|waiting|woken), "flags of an idle lock")
	require.Zero(t, m.Stats().Waiting)
}

// Reserve marks rw as kept for a sleeper; Reserved says whether it is.
func (rw *RWMutex) Reserve()       { rw.or(handoff) }
func (rw *RWMutex) Reserved() bool { return rw.load()&handoff != 0 }

// RLockLate is RLock by a reader that has read the state while rw was striped.
func (rw *RWMutex) RLockLate() { rw.rLockSlow(biased) }

// FillReaders lets as many readers in as the word can count.
func (rw *RWMutex) FillReaders() { rw.add((1<<22 - 1) * oneReader) }

// ReaderToWriter makes one of the readers a writer, whoever else is inside.
func (rw *RWMutex) ReaderToWriter() {
	rw.add(^oneReader + 1)
	rw.add(wLock)
}

// Reserve marks m as kept for a sleeper; Reserved says whether it is.
func (m *SpinMutex) Reserve()       { m.add(handoff) }
func (m *SpinMutex) Reserved() bool { return m.load()&handoff != 0 }

// CountUses adds n to the count in the word.
func (m *SpinMutex) CountUses(n uint64) { m.add(n * spinOne) }

// Folded returns how many uses have been moved out of the word.
func (m *SpinMutex) Folded() uint64 { return uint64(m.x.Load().folded) }

// LockSlow is Lock without its fast path.
func (m *SpinMutex) LockSlow() bool { return m.lockWait(nil, false) }

// EnterInVain adds a goroutine that finds m taken; LeaveAgain takes it out.
func (m *SpinMutex) EnterInVain() { m.add(spinIn + spinOne) }
func (m *SpinMutex) LeaveAgain()  { m.leave() }

// CheckKept verifies what a Keyed keeps that was busy and is not.
func (k *Keyed[K]) CheckKept(t *testing.T) {
	kept := 0
	shards := k.table().shards
	for i := range shards {
		if f := shards[i].free; f != nil {
			kept += int(f.hash)
		}
		require.LessOrEqual(t, len(shards[i].buckets), 8*minBuckets)
	}
	require.LessOrEqual(t, kept, maxFree*len(shards))
}

// Waited says whether one other waits for the key that h holds, of a Keyed of one shard.
func (h Held[K]) Waited(k *Keyed[K]) bool {
	sh := &k.table().shards[0]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return h.e.refs == 2 && h.e.rw.Stats().Waiting == 1
}

// SleepsForReaders says whether a writer that has claimed rw would go to sleep until its
// readers have left.
func (rw *RWMutex) SleepsForReaders() bool {
	x := rw.extend()
	sleeps := rw.joinDrain(x, newWaiter())
	x.drainer = nil
	rw.and(^drainParked)
	return sleeps
}
