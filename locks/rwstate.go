package locks

import "sync/atomic"

// The state word of an RWMutex. Statistics ride on the atomics that lock and
// unlock need anyway:
//
//	63   60 59     37 36     19 18      6 5      0
//	+------+---------+---------+---------+--------+
//	| mode | active  |  reads  | writes  | notes  |
//	+------+---------+---------+---------+--------+
//
// reads and writes count acquisitions since the last fold (see fold); active is
// the readers that entered through this word and did not leave through it. mode
// is what readers must look at before they add themselves. It is on top, and active
// below it, so that one comparison sees mode and the borrow of an RUnlock too many:
// that keeps RLock and RUnlock within what the compiler inlines.
//
// Invariants, outside of the few instructions in which a transition is under way:
//   - wLock has one owner, the writer that set it. It holds the lock once no
//     reader is inside (drain), and bias does not change but by its owner then.
//   - readersAsleep is set as long as readers sleep. Then the lock is closed, or the
//     goroutine that opened it, or a writer that has claimed it since, is about to let
//     them in: no writer gets past a reader that slept when the lock was last opened.
//   - closed == 0 is what an acquisition needs; the reader that adds itself to
//     active and finds the lock closed takes itself out again (a phantom).
//   - Readers inside = active + base + Σ in − Σ out (see stripes); with biased
//     clear all of them are in active.
const (
	wLock uint64 = 1 << 63 // claimed by a writer
	// 1 << 62 is handoff: see park.go
	sampled uint64 = 1 << 61 // this hold is being timed; its Unlock clears it
	biased  uint64 = 1 << 60 // readers enter and leave through stripes

	drainParked uint64 = 1 << 0 // the writer sleeps until the readers inside have left
	// 1 << 1 and 1 << 2 are waiting and woken: see park.go
	watched       uint64 = 1 << 3 // writers take the slow path, for sampling
	unbiasable    uint64 = 1 << 4 // never enable bias
	readersAsleep uint64 = 1 << 5 // see rwExt.readers

	writesShift        = 6
	oneWrite    uint64 = 1 << writesShift
	writesMask  uint64 = 1<<19 - oneWrite
	writesFull  uint64 = 1 << 18 // 4096 writes: fold

	readsShift        = 19
	oneRead    uint64 = 1 << readsShift
	readsMask  uint64 = 1<<37 - oneRead
	readsFull  uint64 = 31 << 32 // 8192 reads: fold. 254 000 more may come before the fold is late

	activeShift        = 37
	oneReader   uint64 = 1 << activeShift
	activeMask  uint64 = 1<<60 - oneReader
	activeFull  uint64 = 1 << 59 // 2²² readers; also set by the borrow of an RUnlock too many

	// closed keeps everybody out. sampled without wLock means that an Unlock is
	// under way and not finished. handoff keeps out writers only.
	closed       = wLock | sampled
	writerClosed = closed | handoff

	// moded is the least state with a bit of mode in it.
	moded = biased

	// A set bit sends the fast path of the operation to its slow path.
	rLockedMask = closed | readsFull | activeFull // after the add
	lockMask    = writerClosed | biased | drainParked | waiting | woken | watched | readersAsleep | activeMask
	unlockMask  = wLock | handoff | sampled | waiting | readersAsleep | writesFull | readsFull
)

// The fast paths call sync/atomic by name: an atomic.Uint64 would put them over
// what the compiler inlines. Everything else goes through these.
func (rw *RWMutex) store(s uint64)       { atomic.StoreUint64(&rw.state, s) }
func (rw *RWMutex) load() uint64         { return atomic.LoadUint64(&rw.state) }
func (rw *RWMutex) add(d uint64) uint64  { return atomic.AddUint64(&rw.state, d) }
func (rw *RWMutex) cas(o, n uint64) bool { return atomic.CompareAndSwapUint64(&rw.state, o, n) }
func (rw *RWMutex) and(mask uint64)      { atomic.AndUint64(&rw.state, mask) }
func (rw *RWMutex) or(mask uint64)       { atomic.OrUint64(&rw.state, mask) }

func (rw *RWMutex) gate() gate {
	return gate{state: &rw.state, closed: writerClosed, held: closed}
}

func activeOf(s uint64) int64  { return int64(s & activeMask >> activeShift) }
func writesOf(s uint64) uint64 { return s & writesMask >> writesShift }
func readsOf(s uint64) uint64  { return s & readsMask >> readsShift }

// striped is the top bit of RWMutex.writes. It is set while the lock is biased, and a
// moment longer on both sides: a reader that came through a stripe finds it set. RUnlock
// looks at it and not at the state, which RLock may just have changed: on some processors
// reading a word right after a locked instruction on it takes nearly as long as that
// (BenchmarkLocks/uncontended/op=read: 22 to 18 ns). It changes with rwExt.mu held.
const striped uint64 = 1 << 63

// A fold in progress is counted in the top byte of RWMutex.reads.
const (
	oneFold   uint64 = 1 << 56
	foldsMask        = ^(oneFold - 1)
)

// fold moves the counts out of the state word before they overflow, and returns
// what it moved. It never waits: several may run at once, each moves what it
// takes. [RWMutex.Stats] waits for the few instructions between.
func (rw *RWMutex) fold() (reads, writes uint64) {
	rw.reads.Add(oneFold)
	for {
		s := rw.load()
		if rw.cas(s, s&^(readsMask|writesMask)) {
			reads, writes = readsOf(s), writesOf(s)
			break
		}
	}
	atomic.AddUint64(&rw.writes, writes)
	rw.reads.Add(reads - oneFold)
	return reads, writes
}
