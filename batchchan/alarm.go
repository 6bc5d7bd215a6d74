package batchchan

import "time"

// alarm is the one timer of an engine: it is set for the earliest of all times at which
// something is due. It is set lazily: it rings where nothing may be due any more, and
// the owner, who is told, then sets it for what is due next. Under load that is one
// timer operation per Linger instead of one per batch. The owner's lock guards it.
type alarm struct {
	ring  func() // called, in a goroutine of its own, when the time has come
	timer *time.Timer
	armed bool
	at    time.Duration // when it rings, if it is armed
}

// before says whether a ring is on its way that comes at that time or earlier.
func (a *alarm) before(at time.Duration) bool { return a.armed && a.at <= at }

// set makes the alarm ring at that time; it is now so late. An earlier ring stays what
// it is.
func (a *alarm) set(at, now time.Duration) {
	if a.before(at) {
		return
	}
	a.armed, a.at = true, at
	if a.timer == nil {
		a.timer = time.AfterFunc(at-now, a.ring)
		return
	}
	a.timer.Reset(at - now)
}

// rang says that ring was called. A ring that an earlier one has overtaken (its timer
// was set anew while it was on its way) may come for nothing: the owner looks at what
// is due in any case.
func (a *alarm) rang() { a.armed = false }

// stop ends it, for good.
func (a *alarm) stop() {
	a.armed = false
	if a.timer != nil {
		a.timer.Stop()
	}
}
