package batchchan

import (
	"runtime"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// spinLock guards sections of tens of nanoseconds in which nothing blocks and
// no user code runs. A sync.Mutex there forms a convoy: with 64 senders on few
// cores each unlock hands over to a sleeper, at 3 to 4 times the cost per item
// (BenchmarkSend/P=64). A loser here backs off long and locally instead, which
// leaves the cache line with the holder, which usually takes the lock many times more.
//
// After spinTries the holder is likely not running. One loser at a time, the
// one in the gate, then yields until the lock is free; the rest are parked on
// the gate's channel.
type spinLock struct {
	held  atomic.Uint32
	tries int32         // 0 where only one goroutine runs at a time
	gate  chan struct{} // capacity 1; nil: yield without a gate
}

const (
	spinTries  = 20
	spinPauses = 25 // about 0.5 µs
)

func (l *spinLock) init(gated bool) {
	if runtime.GOMAXPROCS(0) > 1 && runtime.NumCPU() > 1 {
		l.tries = spinTries
	}
	if gated {
		l.gate = make(chan struct{}, 1)
	}
}

func (l *spinLock) lock() {
	if !l.held.CompareAndSwap(0, 1) {
		l.lockSlow()
	}
}

func (l *spinLock) unlock() { l.held.Store(0) }

func (l *spinLock) tryLock() bool { return l.held.Load() == 0 && l.held.CompareAndSwap(0, 1) }

func (l *spinLock) lockSlow() {
	for range l.tries {
		rt.ProcYield(spinPauses)
		if l.tryLock() {
			return
		}
	}
	if l.gate != nil {
		l.gate <- struct{}{}
		defer func() { <-l.gate }()
	}
	for !l.tryLock() {
		runtime.Gosched()
	}
}
