package connpool

import (
	"errors"
	"fmt"
)

// Reason says why a connection was closed.
type Reason uint8

// The reasons for which the pool closes a connection.
const (
	ByMaxIdle  Reason = iota + 1 // more than MaxIdle were idle
	ByIdleTime                   // idle for IdleTimeout
	ByLifetime                   // older than MaxLifetime
	ByMaxUses                    // lent MaxUses times
	ByCheck                      // its Check or Reset failed
	ByDestroy                    // Conn.Destroy, or the function given to Do broke it
	ByReset                      // Pool.Reset
	ByResize                     // Pool.Resize to fewer
	ByEvict                      // Pool.Evict
	ByKeyLimit                   // another key needed the slot
	ByClose                      // the pool was closed
	numReasons
)

var reasonNames = [numReasons]string{
	"", "max-idle", "idle-time", "lifetime", "max-uses", "check", "destroy", "reset", "resize", "evict", "key-limit", "close",
}

// String returns a word like "lifetime"; "" for no reason.
func (r Reason) String() string {
	if r >= numReasons {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return reasonNames[r]
}

// MarshalText makes the reason readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Evict closes the connections for which pred returns true: idle ones now, those
// on loan at their return. It returns how many that are: of a closed pool none. pred
// runs outside the pool's locks, and a panic of it reaches the caller before any is
// closed; a nil pred stands for all connections.
func (p *Pool[C]) Evict(pred func(Info) bool) int {
	p.mu.Lock()
	conns := p.roster.all()
	infos := make([]Info, len(conns))
	now := p.now()
	for i, e := range conns {
		infos[i] = e.infoLocked(now)
	}
	p.mu.Unlock()
	var chosen []*entry[C]
	for i, e := range conns {
		if pred == nil || pred(infos[i]) {
			chosen = append(chosen, e)
		}
	}
	n := 0
	p.mu.Lock()
	for _, e := range chosen {
		if p.condemnLocked(e, ByEvict) {
			n++
		}
	}
	p.unlock()
	return n
}

// Reset replaces all connections: idle ones are closed now, those on loan at
// their return, and what dials under way bring is closed at once. Use it when the
// server has changed (a failover, new credentials). Waiters keep waiting, for new
// connections. Reset of a closed pool does nothing.
func (p *Pool[C]) Reset() {
	p.mu.Lock()
	p.limits.epoch++
	p.condemnAllLocked(ByReset)
	p.unlock()
}

// Resize changes MaxOpen. When it shrinks, surplus idle connections are closed
// now and those on loan at their return; Resize does not wait for that. A number
// below 1 or above 2^31-1 is an error, and so is a closed pool.
func (p *Pool[C]) Resize(n int) error {
	if n < 1 || n > 1<<31-1 {
		return fmt.Errorf("connpool: Resize(%d): out of range", n)
	}
	p.mu.Lock()
	defer p.unlock()
	if p.closed {
		return ErrClosed
	}
	p.limits.maxOpen = n
	p.warmers.shrink(p.maxWarmLocked())
	p.stock.look()
	p.surplusLocked()
	p.trimLocked()
	p.provideLocked()
	return nil
}

// condemnLocked closes e now if it is idle, and else when it comes back. It
// reports false if e has left or will be closed anyhow.
func (p *Pool[C]) condemnLocked(e *entry[C], why Reason) bool {
	for e.reason == 0 {
		switch e.word.Load() & stateMask {
		case stateIdle:
			if p.retireIdleLocked(e, why) {
				return true
			}
		case stateLent:
			if e.setMark(stateLent) {
				e.reason = why
				return true
			}
		case stateHeld:
			e.reason = why
			return true
		case stateGone:
			return false
		}
	}
	return false
}

func (p *Pool[C]) condemnAllLocked(why Reason) {
	for _, e := range p.roster.all() {
		p.condemnLocked(e, why)
	}
}

// retireIdleLocked closes e if it is idle.
func (p *Pool[C]) retireIdleLocked(e *entry[C], why Reason) bool {
	if !e.seize() {
		return false
	}
	p.retireLocked(e, why, nil)
	return true
}

// retireLocked takes e, which the pool holds, out and closes it.
func (p *Pool[C]) retireLocked(e *entry[C], why Reason, cause error) {
	flag := uint64(0)
	if why == ByDestroy {
		flag = ended
	}
	p.roster.remove(e, flag)
	p.surplusLocked()
	p.discardLocked(e, why, cause)
}

// discardLocked closes e, which is not (any more) one of conns. Its slot stays in
// use until Close has returned: freed earlier, the server would see more than
// MaxOpen connections.
func (p *Pool[C]) discardLocked(e *entry[C], why Reason, cause error) {
	e.reason, e.phase = why, StateClosing
	p.closing.begin(e)
	p.n.closed[why]++
	p.goLocked(func() { p.closeConn(e, cause) })
}

func (p *Pool[C]) closeConn(e *entry[C], cause error) {
	err := errGoexit
	defer func() {
		p.mu.Lock()
		info := e.infoLocked(p.now())
		p.closing.end(e)
		if err != nil && p.closed {
			p.closing.report(fmt.Errorf("connpool: close: %w", err))
		}
		p.freeSlotLocked(e.reason == ByKeyLimit)
		p.unlock()
		if f := p.cfg.OnClosed; f != nil {
			p.functions.hook("OnClosed", func() { f(e.value, info, errors.Join(cause, err)) })
		}
	}()
	p.functions.contain("Close", &err, func() { err = p.cfg.Close(e.value) })
}
