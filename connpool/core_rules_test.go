package connpool

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// newCore returns a core for the test of one rule, and its simulation, which collects.
func newCore(t *testing.T, cfg Config[int]) (*core[int], *coreSim) {
	s := &coreSim{t: t, rng: rand.New(rand.NewPCG(1, 1)), c: new(core[int]), gate: new(gate), sound: true}
	r := new(roster[int])
	r.init(1, Affinity, new(atomic.Uint64))
	s.c.init(&cfg, s.gate, r, 1<<62)
	s.c.alarm.ring = func() { s.rang.Store(true) }
	return s.c, s
}

// dialed adds an idle connection.
func (s *coreSim) dialed() {
	require.True(s.t, s.c.dial(nil, false))
	s.collect()
	s.end(len(s.jobs) - 1)
	s.collect()
}

// wait queues a new waiter.
func (s *coreSim) wait() *waiter[int] {
	w := new(waiter[int])
	_, nth, err := s.c.queue(w)
	require.NoError(s.t, err)
	require.NotZero(s.t, nth)
	s.queued = append(s.queued, w)
	return w
}

// lend lends an idle connection.
func (s *coreSim) lend() {
	l, ok := s.c.roster.grab()
	require.True(s.t, ok)
	s.loans = append(s.loans, l)
}

func TestAnUndeliveredLoanServesTheNext(t *testing.T) {
	c, s := newCore(t, Config[int]{MaxOpen: 1})
	s.dialed()
	s.lend()
	w, next := s.wait(), s.wait()
	s.back(0)
	require.True(t, c.leave(w), "it was granted before its ctx ended")
	s.collect()
	c.undelivered(w.conn)
	s.collect()
	require.Equal(t, waitGranted, next.state)
	require.Equal(t, w.conn.e, next.conn.e, "the same connection")
	require.EqualValues(t, 1, c.n.undelivered)
	require.Empty(t, c.closing.list)
}

// A connection that a releaser has made idle, and not yet looked after, is the first
// waiter's.
func TestTryDoesNotOvertake(t *testing.T) {
	c, s := newCore(t, Config[int]{MaxOpen: 1})
	s.dialed()
	s.lend()
	w := s.wait()
	l := s.loans[0]
	l.e.word.Store(l.word &^ stateMask)
	_, err := c.try()
	require.Equal(t, ErrNotReady, err)
	c.settle()
	s.collect()
	require.Equal(t, l.e, w.conn.e)
}

func TestAWaiterReliesOnAResetThatBegins(t *testing.T) {
	c, s := newCore(t, Config[int]{MaxOpen: 1, Reset: noCheck})
	s.dialed()
	s.lend()
	w := s.wait()
	require.False(t, w.claims, "nothing is under way")
	s.back(0)
	require.True(t, w.claims)
	s.collect()
	s.end(0)
	require.Equal(t, waitGranted, w.state)
	require.Zero(t, c.waiters.claims)
}

// A half-open breaker lets one dial through. Whoever waits behind the one that gave it up
// gets the next at once, also when it is a release that finds the one gone.
func TestAWaiterBehindOneThatGaveUpItsDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, how := range []string{"leaves", "is passed over"} {
			c, s := newCore(t, Config[int]{MaxOpen: 3, Breaker: Breaker{Failures: 1, OpenFor: time.Second}})
			s.dialed()
			s.lend()
			c.dialer.failures, c.dialer.state = 1, BreakerOpen
			first, served, second := s.wait(), s.wait(), s.wait()
			s.collect()
			require.NotNil(t, first.dial)
			require.Nil(t, second.dial, "one at a time")
			if how == "leaves" {
				c.leave(first)
				require.NotNil(t, served.dial)
				continue
			}
			ended := make(chan struct{})
			close(ended)
			first.done = ended
			s.back(0)
			require.Equal(t, waitGranted, served.state)
			require.NotNil(t, second.dial)
		}
	})
}

// A waiter that lost patience with one check gets a dial. If the back-off forbids it, the
// waiter gets another check.
func TestAnImpatientWaiterDuringABackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCore(t, Config[int]{MaxOpen: 3, Check: noCheck, CheckAfterIdle: time.Second, Backoff: Backoff{Min: time.Hour}})
		s.dialed()
		s.dialed()
		c.roster.suspect()
		w := s.wait()
		require.True(t, w.claims)
		require.Equal(t, 1, c.roster.marked)
		c.dialer.failures, c.dialer.retryAt = 1, c.clock.now()+time.Hour
		time.Sleep(claimTime)
		synctest.Wait()
		require.True(t, s.rang.Load(), "the alarm")
		c.look()
		require.True(t, w.impatient)
		require.True(t, w.claims, "on the check of the other")
		require.Zero(t, c.roster.marked)

		c, s = newCore(t, Config[int]{MaxOpen: 3, Check: noCheck, CheckAfterIdle: time.Second})
		s.dialed()
		s.dialed()
		c.roster.suspect()
		w = s.wait()
		time.Sleep(claimTime)
		c.look()
		require.False(t, w.claims)
		require.NotNil(t, w.dial, "a dial may begin")
		require.Equal(t, 1, c.roster.marked)
	})
}

// What a pool that closes cancels tells nothing of the server.
func TestTheDialerLearnsNothingFromAPoolThatCloses(t *testing.T) {
	d := dialer{breaker: Breaker{Failures: 1}, tells: true}
	p := new(pending)
	d.begin(p, 0)
	d.end(p, 0, 1, errDown, false)
	require.Zero(t, d.failures)
	require.Equal(t, BreakerClosed, d.state)
	require.NoError(t, d.lastErr)
	require.False(t, d.tell())
}

func TestBackoffJitterIsAFifthByDefault(t *testing.T) {
	b := Backoff{Min: time.Second}
	lo, hi := time.Hour, time.Duration(0)
	for range 300 {
		d := b.pause(1)
		lo, hi = min(lo, d), max(hi, d)
	}
	require.GreaterOrEqual(t, lo, 800*time.Millisecond)
	require.LessOrEqual(t, hi, time.Second)
	require.Less(t, lo, 840*time.Millisecond)
	require.Greater(t, hi, 960*time.Millisecond)
}

// A closed pool leaves no timer behind.
func TestNoAlarmAfterTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCore(t, Config[int]{MaxOpen: 1})
		s.wait() // for a dial, which loses its patience later
		s.collect()
		c.close()
		time.Sleep(time.Hour)
		require.False(t, s.rang.Load())
	})
}
