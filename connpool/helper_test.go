package connpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("server is down")

// server is a stand-in for a server: it dials, closes and checks as told, and
// checks from its side what the pool promises.
type server struct {
	t testing.TB

	mu                sync.Mutex
	slots, peak       int // from the begin of a dial to the end of the close
	dialing, peakDial int
	checking, peakChk int
	dials, closes     int
	conns             map[*fake]bool

	dialTime, closeTime, checkTime time.Duration
	dialErr, checkErr, closeErr    error
	onDial                         func(ctx context.Context, n int) error // n counts from 1
}

// fake is a connection to a server.
type fake struct {
	id     int
	held   atomic.Bool
	closed atomic.Bool
	broken atomic.Bool
	checks atomic.Int64
	resets atomic.Int64
}

func newServer(t testing.TB) *server { return &server{t: t, conns: map[*fake]bool{}} }

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// n reads one of the server's counts.
func (s *server) n(count *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *count
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) dial(ctx context.Context) (*fake, error) {
	s.mu.Lock()
	s.slots++
	s.peak = max(s.peak, s.slots)
	s.dialing++
	s.peakDial = max(s.peakDial, s.dialing)
	s.dials++
	n, d, err, on := s.dials, s.dialTime, s.dialErr, s.onDial
	s.mu.Unlock()
	if e := sleep(ctx, d); e != nil {
		err = e
	}
	if on != nil && err == nil {
		err = on(ctx, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialing--
	if err != nil {
		s.slots--
		return nil, err
	}
	c := &fake{id: n}
	s.conns[c] = true
	return c, nil
}

func (s *server) close(c *fake) error {
	if !c.closed.CompareAndSwap(false, true) {
		s.t.Errorf("connection %d closed twice", c.id)
	}
	if c.held.Load() {
		s.t.Errorf("connection %d closed while held", c.id)
	}
	s.mu.Lock()
	d, err := s.closeTime, s.closeErr
	s.mu.Unlock()
	if d > 0 {
		time.Sleep(d) // real time: work that takes this long; mostly in a bubble
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots--
	s.closes++
	delete(s.conns, c)
	return err
}

func (s *server) check(ctx context.Context, c *fake) error {
	c.checks.Add(1)
	if c.held.Load() {
		s.t.Errorf("connection %d checked while held", c.id)
	}
	s.mu.Lock()
	d, err := s.checkTime, s.checkErr
	s.checking++
	s.peakChk = max(s.peakChk, s.checking)
	s.mu.Unlock()
	e := sleep(ctx, d)
	s.set(func() { s.checking-- })
	if e != nil {
		return e
	}
	if c.broken.Load() {
		return errDown
	}
	return err
}

func (s *server) config() Config[*fake] {
	return Config[*fake]{Dial: s.dial, Close: s.close, MaxOpen: 4}
}

// pool makes a pool of the server and checks at the test's end that nothing is left.
func (s *server) pool(change ...func(*Config[*fake])) *Pool[*fake] {
	cfg := s.config()
	for _, f := range change {
		f(&cfg)
	}
	p, err := New(cfg)
	require.NoError(s.t, err)
	return p
}

// end closes the pool and checks that the books are exact.
func (s *server) end(p *Pool[*fake]) {
	s.t.Helper()
	_ = p.Close()
	s.settled(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Zero(s.t, s.slots, "slots left at the server")
	require.Empty(s.t, s.conns, "connections left at the server")
}

// hijack takes c out of the pool. The server stops counting it before the pool does:
// the pool may dial in its slot at once.
func (s *server) hijack(c Conn[*fake]) {
	f := c.Value()
	s.set(func() { s.slots--; delete(s.conns, f) })
	c.Hijack()
}

// settled checks the books of a pool in which nothing is under way.
func (s *server) settled(p *Pool[*fake]) {
	s.t.Helper()
	require.NoError(s.t, p.validate())
	st := p.Stats()
	require.Zero(s.t, st.Waiting, "waiting")
	require.Equal(s.t, st.Acquires, st.Hits+st.Misses)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(s.t, s.slots, st.Open, "slots: the server's count and the pool's")
	require.EqualValues(s.t, s.dials, st.Dials, "dials")
	require.EqualValues(s.t, s.closes, st.Closed, "closed")
}

// use holds c for d and reports if somebody else holds it too.
func (s *server) use(c Conn[*fake], d time.Duration) {
	f := c.Value()
	if !f.held.CompareAndSwap(false, true) {
		s.t.Errorf("connection %d is held twice", f.id)
	}
	if f.closed.Load() {
		s.t.Errorf("connection %d is closed and lent", f.id)
	}
	if d > 0 {
		time.Sleep(d) // real time: work that takes this long; mostly in a bubble
	}
	f.held.Store(false)
}

// validate checks the invariants of the pool that hold at any time.
func (p *Pool[C]) validate() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.roster.all()
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
	for w := range p.waiters.all {
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
	gate := p.gate.Load()
	switch {
	case marked != p.roster.marked:
		return fmt.Errorf("%d marked, counted %d", marked, p.roster.marked)
	case n != p.waiters.n:
		return fmt.Errorf("%d waiters, counted %d", n, p.waiters.n)
	case gate&gateWaiters != 0 != (n > 0):
		return fmt.Errorf("gate %b with %d waiters", gate, n)
	case gate&gateClosed != 0 != p.closed || gate&gatePaused != 0 != p.waiters.paused:
		return fmt.Errorf("gate %b: closed %v, paused %v", gate, p.closed, p.waiters.paused)
	case claims != p.waiters.claims:
		return fmt.Errorf("%d claims, counted %d", claims, p.waiters.claims)
	case p.waiters.returningClaims > p.waiters.returning || p.waiters.returningClaims > p.waiters.claims:
		return fmt.Errorf("%d of %d claims on %d that return", p.waiters.returningClaims, p.waiters.claims, p.waiters.returning)
	case p.dialer.late < 0 || p.dialer.late > p.dialer.under:
		return fmt.Errorf("%d of %d dials are late", p.dialer.late, p.dialer.under)
	case p.dialer.under < 0 || p.waiters.claims < 0 || p.janitor.refreshing < 0 || p.waiters.returning < 0 || p.tasks < 0:
		return fmt.Errorf("negative: %d dialing, %d claims, %d keeping, %d returning, %d tasks",
			p.dialer.under, p.waiters.claims, p.janitor.refreshing, p.waiters.returning, p.tasks)
	case p.cfg.MaxDialing > 0 && p.dialer.under > p.cfg.MaxDialing:
		return fmt.Errorf("%d dialing of %d", p.dialer.under, p.cfg.MaxDialing)
	case p.waiters.wake != nil || p.share.dues != dues{}:
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

func acquire(t testing.TB, p *Pool[*fake]) Conn[*fake] {
	t.Helper()
	c, err := p.Acquire(context.Background())
	require.NoError(t, err)
	return c
}
