package connpool

import (
	"math"
	"time"
)

// core is the part of a pool that decides. It has all that Pool.mu guards. The pool tells
// core what happens, and core answers with grants to waiters, with jobs for the pool to
// run, and with a time at which to look again. core starts no goroutine and calls no
// function of Config. The only lock that it takes is the limiter's.
type core[C any] struct {
	waiters waiters[C] // first: a hand-over writes its begin (see Pool)
	closed  bool

	// Set once.
	cfg      *Config[C]
	gate     *gate
	roster   *roster[C] // written under Pool.mu, and read by borrowers without it
	lastWord uint64     // as in Pool

	jobs    jobs[C]
	checks  checks[C]
	limits  limits
	closing closing[C]
	dialer  dialer
	share   share

	n       books
	janitor janitor
	stock   stock
	warmers warmers
	alarm   alarm
	clock   clock
	nextID  uint64
	drained chan struct{} // closed when the closed pool has nothing left
}

// init makes a core of what the pool has, without connections.
func (c *core[C]) init(cfg *Config[C], gate *gate, roster *roster[C], lastWord uint64) {
	c.cfg, c.gate, c.roster, c.lastWord = cfg, gate, roster, lastWord
	c.clock = clock{time.Now()}
	c.drained = make(chan struct{})
	c.waiters.gate, c.waiters.dials = gate, &c.dialer
	c.share.gate, c.share.idle = gate, roster
	c.checks = checks[C]{waiters: &c.waiters, roster: roster, jobs: &c.jobs, alarm: &c.alarm}
	c.closing.roster, c.closing.jobs = roster, &c.jobs
	c.limits = limits{maxOpen: cfg.MaxOpen, maxIdle: max(cfg.MaxIdle, 0), maxDialing: cfg.MaxDialing}
	if cfg.MaxIdle == 0 {
		c.limits.maxIdle = math.MaxInt
	}
	c.dialer = dialer{backoff: cfg.Backoff, breaker: cfg.Breaker, tells: cfg.OnBreaker != nil}
	c.stock = stock{minIdle: cfg.MinIdle, minOpen: cfg.MinOpen}
	c.stock.look()
	c.janitor = janitor{
		minIdle: cfg.MinIdle, minOpen: cfg.MinOpen, maxClosing: cfg.MaxClosing,
		checkAfterIdle: cfg.CheckAfterIdle, keepAlive: cfg.KeepAlive, leakAfter: cfg.LeakAfter,
		tick: cfg.Tick, lookedAt: time.Now().Round(0),
	}
}

// clock tells the time since a pool was made.
type clock struct{ base time.Time }

func (c clock) now() time.Duration { return time.Since(c.base) }

// ended counts the end of a job.
func (c *core[C]) ended() {
	c.jobs.running--
	c.drain()
}

// usage returns how the slots are used.
func (c *core[C]) usage() usage {
	return usage{conns: len(c.roster.all()), dialing: c.dialer.under(), closing: c.closing.n()}
}

// watch raises the gate while a release may have to close something.
func (c *core[C]) watch() { c.gate.set(gateSurplus, c.limits.surplus(c.usage())) }

// slotFreed is called after a slot became free. promised says that the limiter has promised
// it to another pool.
func (c *core[C]) slotFreed(promised bool) {
	c.share.free(promised)
	c.stock.look()
	c.watch()
	c.provide()
	c.drain()
}

// look does what is due at this moment. The patience with a check or a dial may have ended,
// or a back-off.
func (c *core[C]) look() {
	now := c.clock.now()
	c.alarm.rang()
	for _, at := range []time.Duration{c.dialer.loseBy(now), c.waiters.loseBy(now)} {
		if at > 0 {
			c.alarm.by(now, at)
		}
	}
	c.provide()
}

// pause begins or ends a pause, in which no waiter is served.
func (c *core[C]) pause(on bool) {
	c.waiters.pause(on)
	if !on && !c.closed {
		c.serve()
		c.provide()
	}
}

// resize changes MaxOpen.
func (c *core[C]) resize(n int) error {
	if c.closed {
		return ErrClosed
	}
	c.limits.maxOpen = n
	c.warmers.shrink(c.mostWarm())
	c.stock.look()
	c.watch()
	c.trim()
	c.provide()
	return nil
}

// mostWarm returns how many connections can be open at once with nothing on loan.
func (c *core[C]) mostWarm() int { return c.share.most(c.limits.mostIdle()) }

// close refuses what comes from now on, and ends what waits or is idle.
func (c *core[C]) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.gate.set(gateClosed, true)
	c.share.lack(false)
	c.waiters.grantAll(ErrClosed)
	c.warmers.fail(ErrClosed)
	c.closing.condemnAll(ByClose)
	c.alarm.stop()
	c.drain()
}

// drain notices that a closed pool has nothing left.
func (c *core[C]) drain() {
	if !c.closed || c.jobs.running > 0 || c.usage().open() > 0 {
		return
	}
	select {
	case <-c.drained:
	default:
		close(c.drained)
	}
}
