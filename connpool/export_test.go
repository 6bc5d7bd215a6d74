package connpool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// What the tests outside of the package need of its inside.
const (
	FirstPatience = firstPatience
	ClaimTime     = claimTime
	KeyTurn       = keyTurn
	MinIdleAge    = minIdleAge
)

// ErrGoexit is the error of a function that ended its goroutine.
var ErrGoexit = errGoexit

// BreaksConn is the default of Config.Bad.
func BreaksConn(err error) bool { return breaksConn(err) }

// Warming reports whether a Warm waits.
func (p *Pool[C]) Warming() bool { return p.core.warmers.any() }

// Freeze makes the pool believe that it did not run for so long.
func (p *Pool[C]) Freeze(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.core.janitor.lookedAt = p.core.janitor.lookedAt.Add(-d)
}

// Borrow lends the connection of c once more, if it is idle.
func (c Conn[C]) Borrow() (Conn[C], bool) { return c.e.borrow() }

// Validate checks the invariants of the limiter that hold at any time. There may be none.
func (k *Keyed[K, C]) Validate() error {
	if k.limit == nil {
		return nil
	}
	return k.limit.validate()
}

// AtRest checks that the limiter, if there is one, expects nothing more.
func (k *Keyed[K, C]) AtRest() error {
	l := k.limit
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line.Len() > 0 || l.promised != 0 || l.raised {
		return fmt.Errorf("%d pools in line, %d promises, raised %v", l.line.Len(), l.promised, l.raised)
	}
	return nil
}

// Slots returns how many slots of the limiter are used; 0 if there is none.
func (k *Keyed[K, C]) Slots() int {
	if k.limit == nil {
		return 0
	}
	k.limit.mu.Lock()
	defer k.limit.mu.Unlock()
	return k.limit.used
}

// Unlocked reports whether nobody holds the lock of k.
func (k *Keyed[K, C]) Unlocked() bool {
	if !k.mu.TryLock() {
		return false
	}
	k.mu.Unlock()
	return true
}

var errDown = errors.New("server is down")

// Long returns how long a stress test runs, of which n is usual. The race detector makes
// each step some ten times slower, so a run with it is shorter: the random tests begin
// with a new seed each, and many short runs find what one long run does.
func Long(t testing.TB, n int) int {
	switch {
	case os.Getenv("POUNDLOCK_LONG") != "":
		return 50 * n
	case testing.Short():
		return n/10 + 1
	case raceEnabled:
		return n/5 + 1
	}
	return n
}

// NewRand returns a source of random numbers that differ in every run. A test that fails
// logs the seed, and POUNDLOCK_SEED repeats it.
func NewRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("POUNDLOCK_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("POUNDLOCK_SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

// Validate checks the invariants of the pool that hold at any time.
func (p *Pool[C]) Validate() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.core.validate()
}

// validate checks the invariants of a core that hold at any time.
func (c *core[C]) validate() error {
	conns := c.roster.all()
	marked := 0
	for _, e := range conns {
		w := e.word.Load()
		if w&stateMask == stateGone {
			return fmt.Errorf("connection %d is gone and listed", e.id)
		}
		if e.marked {
			marked++
			if w&lowBits != stateIdle|mark {
				return fmt.Errorf("connection %d is marked in state %b", e.id, w&lowBits)
			}
		}
	}
	n, claims := 0, 0
	for w := range c.waiters.all {
		n++
		if w.claims {
			claims++
		}
		if w.dial != nil && w.dial.waiter != w {
			return errors.New("a waiter relies on a dial that does not know it")
		}
		if w.state != waitQueued {
			return fmt.Errorf("a waiter in the queue has state %d", w.state)
		}
	}
	gate := c.gate.Load()
	switch {
	case marked != c.roster.marked:
		return fmt.Errorf("%d marked, counted %d", marked, c.roster.marked)
	case n != c.waiters.n:
		return fmt.Errorf("%d waiters, counted %d", n, c.waiters.n)
	case gate&gateWaiters != 0 != (n > 0):
		return fmt.Errorf("gate %b with %d waiters", gate, n)
	case gate&gateClosed != 0 != c.closed || gate&gatePaused != 0 != c.waiters.paused:
		return fmt.Errorf("gate %b: closed %v, paused %v", gate, c.closed, c.waiters.paused)
	case claims != c.waiters.claims:
		return fmt.Errorf("%d claims, counted %d", claims, c.waiters.claims)
	case c.waiters.returningClaims > c.waiters.returning || c.waiters.returningClaims > c.waiters.claims:
		return fmt.Errorf("%d of %d claims on %d that return", c.waiters.returningClaims, c.waiters.claims, c.waiters.returning)
	case c.dialer.late < 0 || c.dialer.late > c.dialer.under():
		return fmt.Errorf("%d of %d dials are late", c.dialer.late, c.dialer.under())
	case c.dialer.under() < 0 || c.waiters.claims < 0 || c.janitor.refreshing < 0 || c.waiters.returning < 0 || c.jobs.running < 0:
		return fmt.Errorf("negative: %d dialing, %d claims, %d keeping, %d returning, %d jobs",
			c.dialer.under(), c.waiters.claims, c.janitor.refreshing, c.waiters.returning, c.jobs.running)
	case c.cfg.MaxDialing > 0 && c.dialer.under() > c.cfg.MaxDialing:
		return fmt.Errorf("%d dialing of %d", c.dialer.under(), c.cfg.MaxDialing)
	case c.waiters.wake != nil || len(c.jobs.list) > 0 || c.share.dues != dues{}:
		return errors.New("unlock forgot something")
	}
	return nil
}

// validate checks the invariants of the limiter that hold at any time.
func (l *limiter) validate() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	slots, urgent := 0, 0
	for i, s := range l.spenders.all {
		if s.spender != i+1 || s.slots <= 0 {
			return fmt.Errorf("spender %d thinks it is %d, with %d slots", i, s.spender-1, s.slots)
		}
		if s.gate.Load()&gateShort != 0 != l.raised {
			return fmt.Errorf("spender %d: gate %b, raised %v", i, s.gate.Load(), l.raised)
		}
		slots += s.slots
	}
	for i, s := range l.line.all {
		if s.inLine != i+1 {
			return fmt.Errorf("place %d in line thinks it is %d", i, s.inLine-1)
		}
		if s.urgent {
			urgent++
		}
		if s.slots == 0 && !s.urgent {
			return fmt.Errorf("place %d in line has no slot and is not urgent", i)
		}
	}
	switch {
	case slots != l.used || l.used > l.max:
		return fmt.Errorf("%d slots, counted %d of %d", slots, l.used, l.max)
	case urgent != l.urgent:
		return fmt.Errorf("%d urgent, counted %d", urgent, l.urgent)
	}
	return nil
}
