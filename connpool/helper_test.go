package connpool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/connpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long returns how long a stress test runs, of which n is usual.
func long(t testing.TB, n int) int { return connpool.Long(t, n) }

// split returns a source of random numbers for another goroutine.
func split(rng *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(rng.Uint64(), 1)) }

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

func (s *server) config() connpool.Config[*fake] {
	return connpool.Config[*fake]{Dial: s.dial, Close: s.close, MaxOpen: 4}
}

// pool makes a pool of the server and checks at the test's end that nothing is left.
func (s *server) pool(change ...func(*connpool.Config[*fake])) *connpool.Pool[*fake] {
	cfg := s.config()
	for _, f := range change {
		f(&cfg)
	}
	p, err := connpool.New(cfg)
	require.NoError(s.t, err)
	return p
}

// end closes the pool and checks that the books are exact.
func (s *server) end(p *connpool.Pool[*fake]) {
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
func (s *server) hijack(c connpool.Conn[*fake]) {
	f := c.Value()
	s.set(func() { s.slots--; delete(s.conns, f) })
	c.Hijack()
}

// settled checks the books of a pool in which nothing is under way.
func (s *server) settled(p *connpool.Pool[*fake]) {
	s.t.Helper()
	require.NoError(s.t, p.Validate())
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
func (s *server) use(c connpool.Conn[*fake], d time.Duration) {
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

func acquire(t testing.TB, p *connpool.Pool[*fake]) connpool.Conn[*fake] {
	t.Helper()
	c, err := p.Acquire(context.Background())
	require.NoError(t, err)
	return c
}
