package connpool

import (
	"runtime"
	"time"
)

// begin does what is to be done at the begin of a loan: it notes the time, the stack, and
// calls OnAcquired, each if Config or the sampling wants it.
func (c Conn[C]) begin() {
	p := c.e.pool
	if c.word&timedMask == timedLoan {
		c.e.lentAt.Store(int64(p.core.clock.now()))
		c.e.setMark(stateLent) // sends its Release to the slow path, which times it: the fast path need not ask (connpool/uncontended)
	}
	if p.gate.Load()&gateNote == 0 {
		return
	}
	if n := uint64(p.cfg.LeakStacks); n != 0 && (c.word>>useShift-1)%n == 0 {
		s := &loanStack{word: c.word}
		s.n = runtime.Callers(3, s.pcs[:])
		c.e.stack.Store(s)
	}
	if f := p.cfg.OnAcquired; f != nil {
		info := c.Info()
		ok := false
		defer func() {
			if !ok { // the hook ends this goroutine, which will never see c
				c.Destroy(errGoexit)
			}
		}()
		p.functions.hook("OnAcquired", func() { f(c.e.value, info) })
		ok = true
	}
}

// releaseSlow returns the connection when the fast path of Release could not.
func (c Conn[C]) releaseSlow() {
	if c.e.word.Load()&^mark != c.word {
		if c.endedByHolder() {
			return
		}
		c.stale("Release")
	}
	c.timeUse()
	p := c.e.pool
	if p.cfg.OnReleased != nil {
		defer c.giveBack() // also if the hook ends this goroutine
		info := c.Info()
		p.functions.hook("OnReleased", func() { p.cfg.OnReleased(c.e.value, info) })
		return
	}
	c.giveBack()
}

// giveBack ends the loan, which lasts until now, and returns the connection.
func (c Conn[C]) giveBack() {
	e := c.e
	p := e.pool
	if p.cfg.Order != Affinity {
		p.roster.stamp(e)
	}
	if p.gate.Load()&(gateWaiters|gateClosed) == 0 && p.cfg.Reset == nil && p.cfg.CheckAfterIdle >= 0 &&
		c.word < p.lastWord && e.word.CompareAndSwap(c.word, c.word&^stateMask) {
		if p.gate.Load()&gateSettle != 0 {
			p.settle()
		}
		return
	}
	// This comes before the lock, which many may want. A connection that is held belongs to
	// the pool. If it is condemned before core has it, the reason is in e.
	if !e.takeBack(c.word) {
		c.stale("Release")
	}
	p.lock()
	p.core.released(e)
	p.unlock()
}

// One loan in timedOneIn of each connection is timed, the first of them included.
const (
	timedOneIn = 256
	timedMask  = (timedOneIn-1)<<useShift | stateMask
	timedLoan  = useOne | stateLent
)

// timeUse records how long the loan lasted, if it is timed and lasts.
func (c Conn[C]) timeUse() {
	if c.word&timedMask != timedLoan || c.e.word.Load()&^mark != c.word {
		return
	}
	p := c.e.pool
	p.times.used(c.word>>useShift, p.core.clock.now()-time.Duration(c.e.lentAt.Load()))
}
