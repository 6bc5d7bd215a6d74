package batchchan

// crew are the takers of an engine: its workers, or the Recv callers of a Queue. It
// knows who has nothing to do and whether one more worker may be started. The one that
// became idle last is woken first: what it works with is still in the cache. The
// owner's lock guards it.
type crew struct {
	idle    []*taker
	workers int  // that live
	most    int  // workers that may live; 0 where takers come by themselves
	missed  bool // a wake-up has found nobody idle since the owner cleared this
}

// taker is a worker or a Recv caller.
type taker struct {
	signal
	next *taker // in wakeUps
}

// wakeUps are the takers that a section under a lock leaves to be woken, or started,
// after it.
type wakeUps struct {
	takers *taker
	spawn  int
}

// wake leaves in u that an idle taker is to be woken or, if there is none, that a worker
// is to be started where one more may live.
func (c *crew) wake(u *wakeUps) {
	n := len(c.idle) - 1
	if n >= 0 {
		t := c.idle[n]
		c.idle[n] = nil
		c.idle = c.idle[:n]
		t.next, u.takers = u.takers, t
		return
	}
	c.missed = true
	if c.workers < c.most {
		c.workers++
		u.spawn++
	}
}

// wakeIdle leaves in u that all who are idle are to be woken.
func (c *crew) wakeIdle(u *wakeUps) {
	for len(c.idle) > 0 {
		c.wake(u)
	}
}

// ready says whether wake would reach somebody.
func (c *crew) ready() bool { return len(c.idle) > 0 || c.workers < c.most }

// park makes t, whose signal must be armed, idle.
func (c *crew) park(t *taker) { c.idle = append(c.idle, t) }

// unpark makes t busy again without a wake-up. It reports false if t was chosen to be
// woken before: then t's signal is on its way, and whoever sends it counts on t.
func (c *crew) unpark(t *taker) bool {
	for i, u := range c.idle {
		if u == t {
			last := len(c.idle) - 1
			copy(c.idle[i:], c.idle[i+1:])
			c.idle[last] = nil
			c.idle = c.idle[:last]
			return true
		}
	}
	return false
}

// leave follows the end of a worker.
func (c *crew) leave() { c.workers-- }
