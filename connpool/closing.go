package connpool

import (
	"errors"
	"slices"
	"time"
)

// closing is the part of a pool that closes connections. A connection keeps its slot until
// its Close has returned, so closing lists the connections whose Close runs. It is guarded
// by Pool.mu and told the time.
type closing[C any] struct {
	list   []*entry[C]
	counts [numReasons]uint64
	errs   []error // of the closes that Close reports

	roster *roster[C]
	jobs   *jobs[C]
}

// mostCloseErrors is how many errors Close reports.
const mostCloseErrors = 8

func (c *closing[C]) n() int { return len(c.list) }

// condemn closes e now if it is idle, and else when it comes back. It reports false if
// e has left or will be closed anyhow.
func (c *closing[C]) condemn(e *entry[C], why Reason) bool {
	for e.reason == 0 {
		switch e.word.Load() & stateMask {
		case stateIdle:
			if c.retireIdle(e, why) {
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

func (c *closing[C]) condemnAll(why Reason) {
	for _, e := range c.roster.all() {
		c.condemn(e, why)
	}
}

// retireIdle closes e if it is idle.
func (c *closing[C]) retireIdle(e *entry[C], why Reason) bool {
	if !e.seize() {
		return false
	}
	c.retire(e, why, nil)
	return true
}

// retire takes e, which the pool holds, out of the roster and closes it.
func (c *closing[C]) retire(e *entry[C], why Reason, cause error) {
	flag := uint64(0)
	if why == ByDestroy {
		flag = ended
	}
	c.roster.remove(e, flag)
	c.discard(e, why, cause)
}

// discard closes e, which is not in the roster. Its slot stays in use until
// Close has returned: freed earlier, the server would see more than MaxOpen connections.
func (c *closing[C]) discard(e *entry[C], why Reason, cause error) {
	e.reason, e.phase = why, StateClosing
	c.list = append(c.list, e)
	c.counts[why]++
	c.jobs.begin(job[C]{kind: jobClose, e: e, cause: cause})
}

// evictIdle closes one connection that has been idle for so long, and reports false if
// there is none.
func (c *closing[C]) evictIdle(now time.Duration, why Reason, age time.Duration) bool {
	conns := c.roster.all()
	for i := len(conns) - 1; i >= 0; i-- {
		e := conns[i]
		if e.lookLocked(now)&stateMask == stateIdle && now-e.seenAt >= age && c.retireIdle(e, why) {
			return true
		}
	}
	return false
}

// end notes that the Close of e has returned.
func (c *closing[C]) end(e *entry[C]) {
	last := len(c.list) - 1
	c.list[slices.Index(c.list, e)] = c.list[last]
	c.list[last] = nil // or the collector could not have it
	c.list = c.list[:last]
}

// report keeps err, which may be nil, for Close.
func (c *closing[C]) report(err error) {
	if err != nil && len(c.errs) < mostCloseErrors {
		c.errs = append(c.errs, err)
	}
}

func (c *closing[C]) err() error { return errors.Join(c.errs...) }

// fill puts the counts into s.
func (c *closing[C]) fill(s *Stats) {
	n := &c.counts
	s.ClosedBy = ReasonCounts{
		n[ByMaxIdle], n[ByIdleTime], n[ByLifetime], n[ByMaxUses], n[ByCheck], n[ByDestroy],
		n[ByReset], n[ByResize], n[ByEvict], n[ByKeyLimit], n[ByClose],
	}
	for _, v := range n {
		s.Closed += v
	}
}
