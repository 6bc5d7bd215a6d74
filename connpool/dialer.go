package connpool

import (
	"slices"
	"time"

	"github.com/poundlock/poundlock/internal/duration"
)

// dialer is the part of a pool that says when a dial may begin, and which dials under way
// are worth waiting for. It holds the breaker, the back-off and the count
// of dials. It is guarded by Pool.mu and told the time (on the pool's clock), so
// that one reading decides both what is done now and when to look again.
type dialer struct {
	running []*pending // dials under way
	// late counts those of them that no waiter should rely on: older than the patience,
	// or given up by the Acquire that asked.
	late int

	failures int           // in a row
	lastErr  error         // of the last dial; nil if it succeeded
	retryAt  time.Duration // no dial before this
	state    BreakerState
	typical  time.Duration // how long a dial takes: the mean, recent ones weighing more; 0: none succeeded yet

	tells   bool           // there is an OnBreaker
	telling bool           // a job calls takeNews until there are none
	news    []BreakerState // changes that OnBreaker was not told of

	backoff Backoff
	breaker Breaker
}

// pending is a dial under way as the dialer knows it.
type pending struct {
	late   bool // counted in dialer.late
	ended  bool
	lateAt time.Duration // when the patience with it ends
}

// The patience with a dial is four times what one typically takes, at least
// minPatience; firstPatience before one is known. It doubles with each dial that
// is late, because a server that is slow to all is not served by more dials.
const (
	minPatience   = 100 * time.Millisecond
	firstPatience = 500 * time.Millisecond
)

// patience returns how long a dial that begins now is relied on.
func (d *dialer) patience() time.Duration {
	p := firstPatience
	if d.typical > 0 {
		p = max(minPatience, min(d.typical, time.Hour)*4)
	}
	return p << min(d.late, 6)
}

// under returns how many dials are under way.
func (d *dialer) under() int { return len(d.running) }

// supply returns how many of them are relied on.
func (d *dialer) supply() int { return len(d.running) - d.late }

// mayDial reports whether a dial may begin now. If not, again is the time until
// one may; 0: until one of those under way ends or is late.
func (d *dialer) mayDial(now time.Duration) (ok bool, again time.Duration) {
	switch {
	case d.failures == 0:
		return true, 0
	case now < d.retryAt:
		return false, d.retryAt - now
	case d.state == BreakerClosed:
		return true, 0
	}
	return d.supply() == 0, 0 // open long enough, or half open: one at a time
}

// begin counts a dial that mayDial allowed.
func (d *dialer) begin(p *pending, now time.Duration) {
	*p = pending{lateAt: duration.Add(now, d.patience())}
	d.running = append(d.running, p)
	if d.state == BreakerOpen {
		d.become(BreakerHalfOpen)
	}
}

// giveUp notes that no waiter should rely on a dial any more. The dial may have ended
// meanwhile.
func (d *dialer) giveUp(p *pending) {
	if !p.late && !p.ended {
		p.late = true
		d.late++
	}
}

// loseBy gives up the dials with which the patience has ended. It returns when that is so
// with the next one; 0: with none.
func (d *dialer) loseBy(now time.Duration) (next time.Duration) {
	for _, p := range d.running {
		switch {
		case p.late:
		case p.lateAt <= now:
			d.giveUp(p)
		case next == 0 || p.lateAt < next:
			next = p.lateAt
		}
	}
	return next
}

// end counts a dial that took so long and ended with err. A pool that closes does
// not learn from it.
func (d *dialer) end(p *pending, now, took time.Duration, err error, learn bool) {
	p.ended = true
	d.running = slices.DeleteFunc(d.running, func(o *pending) bool { return o == p })
	if p.late {
		d.late--
	}
	if !learn {
		return
	}
	d.lastErr = err
	if err == nil {
		d.failures, d.retryAt = 0, 0
		d.become(BreakerClosed)
		if d.typical == 0 {
			d.typical = took
		}
		d.typical = max(d.typical+(took-d.typical)/8, 1)
		return
	}
	d.failures++
	pause := d.backoff.pause(d.failures)
	if d.breaker.Failures > 0 && d.failures >= d.breaker.Failures {
		d.become(BreakerOpen)
		pause = max(pause, orDefault(d.breaker.OpenFor, time.Second))
	}
	if pause > 0 {
		d.retryAt = duration.Add(now, pause)
	}
}

func (d *dialer) become(s BreakerState) {
	if d.state != s {
		d.state = s
		if d.tells {
			d.news = append(d.news, s)
		}
	}
}

// tell reports whether the caller must start a job that calls takeNews until there are no
// news. If one runs already, it need not.
func (d *dialer) tell() bool {
	if d.telling || len(d.news) == 0 {
		return false
	}
	d.telling = true
	return true
}

// takeNews returns the changes that OnBreaker was not told of. A job that gets none has
// ended.
func (d *dialer) takeNews() []BreakerState {
	news := d.news
	d.news, d.telling = nil, len(news) > 0
	return news
}
