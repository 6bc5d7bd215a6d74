package connpool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// coreSim drives a core without a pool: no goroutine, no lock, no user's function. It
// decides when each job ends and how, and lets time pass.
type coreSim struct {
	t    *testing.T
	rng  *rand.Rand
	c    *core[int]
	gate *gate
	rang atomic.Bool // by the alarm

	jobs   []job[int]
	queued []*waiter[int]
	loans  []Conn[int]
	sound  bool          // the server answers
	ended  chan struct{} // closed: the Done of a ctx that has ended
}

func newCoreSim(t *testing.T, rng *rand.Rand) *coreSim {
	cfg := &Config[int]{
		MaxOpen: 1 + rng.IntN(4), MaxDialing: rng.IntN(3), MaxIdle: rng.IntN(3), MaxWaiters: []int{0, 0, -1, 2}[rng.IntN(4)],
		Check: noCheck, CheckAfterIdle: []time.Duration{-1, time.Second}[rng.IntN(2)], KeepAlive: time.Duration(rng.IntN(2)) * time.Second,
		IdleTimeout: time.Duration(rng.IntN(2)) * 3 * time.Second, MaxLifetime: time.Duration(rng.IntN(2)) * 5 * time.Second,
		Tick: 200 * time.Millisecond, MaxClosing: 2,
		Backoff: Backoff{Min: time.Duration(rng.IntN(2)) * 50 * time.Millisecond},
		Breaker: Breaker{Failures: rng.IntN(3), OpenFor: 100 * time.Millisecond},
	}
	if rng.IntN(2) == 0 {
		cfg.Reset = noCheck
	}
	if rng.IntN(3) == 0 && cfg.MaxIdle == 0 {
		cfg.MinIdle, cfg.MinOpen = rng.IntN(cfg.MaxOpen+1), rng.IntN(cfg.MaxOpen+1)
	}
	s := &coreSim{t: t, rng: rng, c: new(core[int]), gate: new(gate), ended: make(chan struct{})}
	close(s.ended)
	r := new(roster[int])
	r.init(1, Affinity, new(atomic.Uint64))
	s.c.init(cfg, s.gate, r, uint64(1+rng.IntN(30))<<useShift|stateLent)
	s.c.alarm.ring = func() { s.rang.Store(true) }
	return s
}

func noCheck(context.Context, int) error { return nil }

// collect takes what the core has decided: jobs to run, waiters that were served.
func (s *coreSim) collect() {
	s.c.jobs.start(func(j job[int]) { s.jobs = append(s.jobs, j) })
	s.queued = slices.DeleteFunc(s.queued, func(w *waiter[int]) bool { return w.state == waitGone }) // passed over
	for w := s.c.waiters.takeGranted(); w != nil; w = w.next {
		s.queued = slices.DeleteFunc(s.queued, func(o *waiter[int]) bool { return o == w })
		if w.err == nil {
			s.loans = append(s.loans, w.conn)
		}
	}
}

// check looks for what nobody would ever look at again.
func (s *coreSim) check(step string) {
	s.t.Helper()
	c := s.c
	require.NoError(s.t, c.validate(), step)
	require.Len(s.t, s.queued, c.waiters.n, step)
	u := c.usage()
	if c.closed || c.waiters.paused || c.waiters.n == 0 {
		return
	}
	idle := 0
	for _, e := range c.roster.all() {
		if e.word.Load()&lowBits == stateIdle {
			idle++
		}
	}
	require.Zero(s.t, idle, "%s: %d wait beside an idle connection", step, c.waiters.n)
	w := c.waiters.first()
	if w == nil || c.waiters.unserved() <= 0 {
		return
	}
	if c.roster.marked > 0 && !w.impatient {
		s.t.Fatalf("%s: one waits for a check that nobody begins: %+v", step, u)
	}
	if c.limits.room(u) <= 0 {
		return
	}
	if ok, again := c.mayDial(); ok || again > 0 && (c.alarm.at == 0 || c.alarm.at > c.dialer.retryAt) {
		s.t.Fatalf("%s: one waits, there is room, a dial may begin: %v, in %v: %+v", step, ok, again, u)
	}
}

// end ends the job with the given index.
func (s *coreSim) end(i int) string {
	j := s.jobs[i]
	s.jobs = slices.Delete(s.jobs, i, i+1)
	var err error
	if !s.sound && s.rng.IntN(3) == 0 {
		err = errDown
	}
	step := fmt.Sprint("the end of job ", j.kind, ": ", err)
	switch j.kind {
	case jobDial:
		e := &entry[int]{epoch: j.dial.epoch}
		e.word.Store(stateHeld)
		e.seen = stateHeld
		now := s.c.clock.now()
		e.born, e.seenAt, e.checkedAt = now, now, now
		e.lifetime, e.idleLimit = s.c.cfg.MaxLifetime, s.c.cfg.IdleTimeout
		s.c.dialed(j.dial, e, time.Millisecond, err)
	case jobHeld:
		s.c.held(j.e, j.held, err)
	case jobClose:
		s.c.closeEnded(j.e, err)
	}
	s.c.ended()
	return step
}

// elapse lets time go by, with the alarm and the ticks.
func (s *coreSim) elapse(d time.Duration) {
	for range 4 {
		time.Sleep(d / 4) // real time: in the bubble of the test
		synctest.Wait()
		if s.rang.Swap(false) {
			s.c.look()
			s.collect()
			s.check("the alarm")
		}
	}
}

// back ends the loan with the given index, as Release does.
func (s *coreSim) back(i int) {
	l := s.loans[i]
	s.loans = slices.Delete(s.loans, i, i+1)
	slow := s.c.cfg.Reset != nil || s.c.cfg.CheckAfterIdle < 0 || l.word >= s.c.lastWord
	if !slow && s.gate.Load()&gateRelease == 0 && l.e.word.CompareAndSwap(l.word, l.word&^stateMask) {
		if s.gate.Load()&gateSettle != 0 {
			s.c.settle()
		}
		return
	}
	require.True(s.t, l.e.takeBack(l.word))
	s.c.released(l.e)
}

func (s *coreSim) step() string {
	c, rng := s.c, s.rng
	switch k := rng.IntN(24); {
	case k < 5:
		w := &waiter[int]{}
		got, nth, err := c.queue(w)
		switch {
		case nth > 0:
			s.queued = append(s.queued, w)
		case err == nil:
			s.loans = append(s.loans, got)
		}
		return fmt.Sprint("queue ", err)
	case k < 7 && len(s.queued) > 0:
		i := rng.IntN(len(s.queued))
		w := s.queued[i]
		if rng.IntN(2) == 0 { // its ctx has ended, and it has not run yet
			w.done = s.ended
			return "a ctx ended"
		}
		s.queued = slices.Delete(s.queued, i, i+1)
		c.leave(w)
		return "leave"
	case k < 12 && len(s.jobs) > 0:
		return s.end(rng.IntN(len(s.jobs)))
	case k < 16 && len(s.loans) > 0:
		s.back(rng.IntN(len(s.loans)))
		return "release"
	case k == 16 && len(s.loans) > 0:
		i := rng.IntN(len(s.loans))
		l := s.loans[i]
		s.loans = slices.Delete(s.loans, i, i+1)
		require.True(s.t, l.e.takeBack(l.word))
		switch rng.IntN(3) {
		case 0:
			c.closing.retire(l.e, ByDestroy, nil)
			c.roster.suspect()
		case 1:
			c.hijack(l.e)
		case 2:
			c.undelivered(Conn[int]{l.e, 0})
			c.giveBack(l.e, true)
		}
		return "destroy, hijack, undelivered"
	case k == 17:
		c.pause(rng.IntN(3) == 0)
		return "pause"
	case k == 18:
		require.NoError(s.t, c.resize(1+rng.IntN(4)))
		return "resize"
	case k == 19:
		switch rng.IntN(4) {
		case 0:
			c.limits.epoch++
			c.closing.condemnAll(ByReset)
		case 1:
			c.closing.evictIdle(c.clock.now(), ByEvict, 0)
		default:
			if all := c.roster.all(); len(all) > 0 {
				c.closing.condemn(all[rng.IntN(len(all))], ByEvict)
			}
		}
		return "evict"
	case k == 20:
		if got, err := c.try(); err == nil {
			s.loans = append(s.loans, got)
		}
		return "try"
	case k == 21:
		c.tick(time.Now())
		return "tick"
	default:
		s.elapse(time.Duration(rng.IntN(int(300 * time.Millisecond))))
		return "time"
	}
}

// Any order of events: whoever waits is served, or something is under way for it, or the
// pool will look again; never more connections than MaxOpen; in the end nothing is left.
func TestCoreInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := NewRand(t)
		for range Long(t, 400) {
			s := newCoreSim(t, rng)
			c := s.c
			for range 120 {
				open := c.usage().open()
				step := s.step()
				s.collect()
				s.check(step)
				if now := c.usage().open(); now > open {
					require.LessOrEqual(t, now, c.limits.maxOpen, step)
				}
				if most := c.cfg.MaxDialing; most > 0 {
					require.LessOrEqual(t, c.dialer.under(), most, step)
				}
			}
			// The server is well again, and everybody gives back.
			s.sound = true
			c.pause(false)
			for rounds := 0; c.waiters.n > 0; rounds++ {
				require.Less(t, rounds, 1000, "%d wait for ever", c.waiters.n)
				s.collect()
				for len(s.jobs) > 0 {
					s.end(0)
					s.collect()
				}
				for len(s.loans) > 0 {
					s.back(0)
					s.collect()
				}
				s.check("the end")
				s.elapse(50 * time.Millisecond)
			}
			c.close()
			for s.collect(); len(s.loans)+len(s.jobs) > 0; s.collect() {
				for len(s.loans) > 0 {
					s.back(0)
				}
				for len(s.jobs) > 0 {
					s.end(0)
				}
			}
			require.NoError(t, c.validate())
			require.Zero(t, c.usage())
			select {
			case <-c.drained:
			default:
				t.Fatal("not drained")
			}
		}
	})
}
