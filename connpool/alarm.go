package connpool

import "time"

// alarm is the part of a pool that has it look again at the first of the times at which
// something is due. It is guarded by Pool.mu and told the time. It does not know what is
// due: it may ring for what is not needed any more.
type alarm struct {
	ring  func() // called at the time, in a goroutine of its own
	timer *time.Timer
	at    time.Duration // when it rings; 0: not
}

// by has it ring at the given time or earlier.
func (a *alarm) by(now, at time.Duration) {
	if a.at > 0 && a.at <= at {
		return
	}
	a.at = max(at, 1)
	if a.timer == nil {
		a.timer = time.AfterFunc(at-now, a.ring)
		return
	}
	a.timer.Reset(at - now)
}

// rang notes that it rings no more.
func (a *alarm) rang() { a.at = 0 }

// stop ends it for good.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
