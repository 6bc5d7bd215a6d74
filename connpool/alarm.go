package connpool

import "time"

// alarm is the part of a pool that rings at the first of the times at which something is
// due. The pool then looks at everything. alarm is guarded by Pool.mu and told the time. It
// does not know what is due, so it may ring although nothing is due any more.
type alarm struct {
	ring  func() // called at the time, in a goroutine of its own
	timer *time.Timer
	at    time.Duration // when it rings; 0: not
}

// by makes the alarm ring at the given time or earlier.
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

// rang notes that the alarm has rung.
func (a *alarm) rang() { a.at = 0 }

// stop ends the alarm for good.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
