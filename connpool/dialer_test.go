package connpool

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The kind: who asks for a dial may begin one, or is told when to look again, or
// there is a dial under way whose end looks. From one reading of the clock, so that
// no moment lies between.
func TestARefusedDialIsLookedAtAgain(t *testing.T) {
	d := dialer{backoff: Backoff{Min: 10, Jitter: -1}, breaker: Breaker{Failures: 2, OpenFor: 100}}
	d.begin()
	d.end(new(pending), 5, 1, errDown, true) // a pause of 10
	for now, again := range map[time.Duration]time.Duration{5: 10, 14: 1, 15: 0, 16: 0, math.MaxInt64: 0} {
		ok, in := d.mayDial(now)
		require.Equal(t, again, in, "at %d", now)
		require.Equal(t, again == 0, ok, "at %d", now)
	}
	d.begin()
	d.end(new(pending), 20, 1, errDown, true) // opens for 100
	for now, again := range map[time.Duration]time.Duration{20: 100, 119: 1, 120: 0} {
		ok, in := d.mayDial(now)
		require.Equal(t, again, in, "at %d", now)
		require.Equal(t, again == 0, ok, "at %d", now)
	}
	d.begin()
	ok, in := d.mayDial(121)
	require.False(t, ok, "one at a time")
	require.Zero(t, in, "its end looks again")
	d.late++
	ok, _ = d.mayDial(121)
	require.True(t, ok, "a dial that is late is not waited for")

	rapid.Check(t, func(t *rapid.T) {
		under := rapid.IntRange(0, 3).Draw(t, "under")
		instant := rapid.SampledFrom([]int64{0, 1, 2, 10, math.MaxInt64 - 1, math.MaxInt64})
		d := dialer{
			under: under, late: rapid.IntRange(0, under).Draw(t, "late"),
			failures: rapid.IntRange(0, 2).Draw(t, "failures"),
			retryAt:  time.Duration(instant.Draw(t, "retryAt")),
			state:    rapid.SampledFrom([]BreakerState{BreakerClosed, BreakerOpen, BreakerHalfOpen}).Draw(t, "state"),
		}
		now := time.Duration(instant.Draw(t, "now"))
		ok, again := d.mayDial(now)
		if !ok && again <= 0 && d.supply() == 0 {
			t.Fatalf("%+v at %d: refused, and nothing looks again", d, now)
		}
		if again > 0 {
			if ok, _ := d.mayDial(now + again - 1); ok {
				t.Fatalf("%+v at %d: %d is too late", d, now, again)
			}
			if ok, in := d.mayDial(now + again); !ok && in > 0 {
				t.Fatalf("%+v at %d: %d is too early", d, now, again)
			}
		}
	})
}

// The same through the pool: the timer is armed for the very moment, and who comes
// at it dials.
func TestAcquireAtTheVeryEndOfThePause(t *testing.T) {
	for _, early := range []time.Duration{1, 0, -1} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.dialErr = errDown
			p := s.pool(func(c *Config[*fake]) { c.Backoff = Backoff{Min: ms, Jitter: -1} })
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, errDown)
			s.set(func() { s.dialErr = nil })
			time.Sleep(ms - early)
			begin := time.Now()
			acquire(t, p).Release()
			require.Equal(t, max(early, 0), time.Since(begin))
			s.end(p)
		})
	}
}

// Real time: a pause that ends between two readings of the clock comes by chance alone.
func TestAcquireNeverHangsInAShortPause(t *testing.T) {
	p, err := New(Config[int]{
		Dial:    func(context.Context) (int, error) { return 0, errDown },
		Close:   func(int) error { return nil },
		MaxOpen: 1, Backoff: Backoff{Min: 400, Max: 4000},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range long(t, 5000) {
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, errDown)
		require.NoError(t, ctx.Err(), "hung")
	}
	require.NoError(t, p.Close())
}

// OnBreaker is told of every change, once, in their order, by one at a time.
func TestTheDialersNews(t *testing.T) {
	d := dialer{breaker: Breaker{Failures: 1, OpenFor: 10}, tells: true}
	fail := func() { d.begin(); d.end(new(pending), 0, 1, errDown, true) }
	require.False(t, d.tell(), "nothing has changed")
	fail()
	require.True(t, d.tell())
	fail() // half open between
	require.False(t, d.tell(), "somebody tells already")
	require.Equal(t, []BreakerState{BreakerOpen, BreakerHalfOpen, BreakerOpen}, d.takeNews())
	d.begin()
	d.end(new(pending), 0, 1, nil, true)
	require.False(t, d.tell(), "it looks once more")
	require.Equal(t, []BreakerState{BreakerHalfOpen, BreakerClosed}, d.takeNews())
	require.Empty(t, d.takeNews())
	require.False(t, d.tell())
	fail()
	require.True(t, d.tell(), "the one before has gone")

	d = dialer{breaker: Breaker{Failures: 1}}
	fail()
	require.False(t, d.tell(), "no hook")
	require.Empty(t, d.news)
}

// A dial is given up once, and not after its end.
func TestTheDialersSupply(t *testing.T) {
	var d dialer
	var a, b pending
	d.begin()
	d.begin()
	require.Equal(t, 2, d.supply())
	require.Equal(t, firstPatience, d.patience())
	d.giveUp(&a)
	d.giveUp(&a)
	require.Equal(t, 1, d.supply())
	require.Equal(t, 2*firstPatience, d.patience(), "with each that is late")
	d.end(&b, 0, 1, nil, false)
	d.giveUp(&b)
	require.Zero(t, d.supply())
	require.Equal(t, 1, d.late)
	d.end(&a, 0, 1, nil, false)
	require.Zero(t, d.late)
	require.Zero(t, d.under)
}

// A sum that would overflow lies in the past, and what should never come comes at once.
func TestInstantsDoNotOverflow(t *testing.T) {
	for _, d := range []dialer{
		{breaker: Breaker{Failures: 1, OpenFor: math.MaxInt64}},
		{backoff: Backoff{Min: math.MaxInt64, Max: math.MaxInt64, Jitter: -1}},
	} {
		d.begin()
		d.end(new(pending), math.MaxInt64/2+5, 1, errDown, true)
		ok, again := d.mayDial(math.MaxInt64/2 + 6)
		require.False(t, ok)
		require.Positive(t, again)
	}
	j := janitor{checkAfterIdle: math.MaxInt64, tick: 5}
	require.False(t, j.begin(time.Time{}.Add(time.Hour), 1, 1, 0))
}

// Every duration of Config may be as long as can be: it never comes then.
func TestTheLongestDurationsNeverCome(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	for name, change := range map[string]func(*Config[*fake]){
		"MaxLifetime":    func(c *Config[*fake]) { c.MaxLifetime, c.LifetimeJitter = forever, -1 },
		"LifetimeJitter": func(c *Config[*fake]) { c.MaxLifetime, c.LifetimeJitter = forever, forever/2 },
		"IdleTimeout":    func(c *Config[*fake]) { c.IdleTimeout, c.IdleJitter = forever, -1 },
		"IdleJitter":     func(c *Config[*fake]) { c.IdleTimeout, c.IdleJitter = forever, forever/2 },
		"CheckAfterIdle": func(c *Config[*fake]) { c.CheckAfterIdle = forever },
		"KeepAlive":      func(c *Config[*fake]) { c.KeepAlive, c.CheckAfterIdle = forever, forever },
		"DialTimeout":    func(c *Config[*fake]) { c.DialTimeout = forever },
		"CheckTimeout":   func(c *Config[*fake]) { c.CheckTimeout = forever },
		"LeakAfter":      func(c *Config[*fake]) { c.LeakAfter = forever },
		"Tick":           func(c *Config[*fake]) { c.Tick = forever },
		"Backoff":        func(c *Config[*fake]) { c.Backoff = Backoff{Min: forever, Max: forever, Factor: math.MaxFloat64} },
		"OpenFor":        func(c *Config[*fake]) { c.Breaker = Breaker{Failures: 1, OpenFor: forever} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				s.checkErr = errDown // a check closes
				p := s.pool(func(c *Config[*fake]) { c.Check, c.CheckAfterIdle = s.check, forever; change(c) })
				c := acquire(t, p)
				time.Sleep(time.Hour)
				c.Release()
				time.Sleep(24 * time.Hour)
				acquire(t, p).Release()
				st := p.Stats()
				require.Zero(t, st.Closed+st.Leaked+st.Checks)
				s.set(func() { s.dialErr = errDown })
				p.Reset()
				_, err := p.Acquire(t.Context())
				require.ErrorIs(t, err, errDown)
				if name == "Backoff" || name == "OpenFor" {
					ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
					defer cancel()
					_, err = p.Acquire(ctx)
					require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrBreakerOpen))
					require.Equal(t, 2, s.n(&s.dials))
				}
				s.end(p)
			})
		})
	}
}

// One dial hangs. Whoever comes next gets a dial of its own: at once if who asked
// for the first has left, else when the patience is over.
func TestAHungDialStallsNobodyElse(t *testing.T) {
	hang := func(ctx context.Context, n int) error {
		if n == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	giveUp := func(t *testing.T, p *Pool[*fake], after time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	for name, tt := range map[string]struct {
		change func(*Config[*fake])
		run    func(t *testing.T, s *server, p *Pool[*fake])
		want   time.Duration // from the start, how long until a connection is there
	}{
		"its own caller": {nil, func(t *testing.T, _ *server, p *Pool[*fake]) { acquire(t, p).Release() }, firstPatience},
		"a lone caller after one that left": {nil, func(t *testing.T, _ *server, p *Pool[*fake]) {
			giveUp(t, p, ms)
			acquire(t, p).Release()
		}, ms},
		"TryAcquire after one that left": {nil, func(t *testing.T, _ *server, p *Pool[*fake]) {
			giveUp(t, p, ms)
			_, err := p.TryAcquire()
			require.ErrorIs(t, err, ErrNotReady)
			synctest.Wait()
			c, err := p.TryAcquire()
			require.NoError(t, err)
			c.Release()
		}, ms},
		"TryAcquire alone": {nil, func(t *testing.T, _ *server, p *Pool[*fake]) {
			for {
				if c, err := p.TryAcquire(); err == nil {
					c.Release()
					return
				}
				synctest.Wait()
				time.Sleep(firstPatience/4 + ms) // real time: in the bubble below
			}
		}, 5 * (firstPatience/4 + ms)},
		"Warm": {nil, func(t *testing.T, _ *server, p *Pool[*fake]) { require.NoError(t, p.Warm(t.Context(), 1)) }, firstPatience},
		"MinIdle": {func(c *Config[*fake]) { c.MinIdle, c.Tick = 1, 130*ms }, func(t *testing.T, s *server, p *Pool[*fake]) {
			for p.Stats().Idle == 0 {
				time.Sleep(100 * ms) // real time: in the bubble below
				synctest.Wait()
			}
		}, firstPatience + 100*ms},
		"half open": {func(c *Config[*fake]) { c.Breaker = Breaker{Failures: 1, OpenFor: time.Second} }, func(t *testing.T, s *server, p *Pool[*fake]) {
			giveUp(t, p, ms)
			s.set(func() { s.dialErr = errDown })
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, errDown)
			_, err = p.Acquire(t.Context())
			require.ErrorIs(t, err, ErrBreakerOpen, "the one that hangs does not count")
			s.set(func() { s.dialErr = nil })
			time.Sleep(time.Second) // real time: in the bubble below
			acquire(t, p).Release()
		}, time.Second + ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				s.onDial = hang
				begin := time.Now()
				p := s.pool(func(c *Config[*fake]) {
					c.MaxOpen = 10
					if tt.change != nil {
						tt.change(c)
					}
				})
				tt.run(t, s, p)
				require.Equal(t, tt.want, time.Since(begin))
				s.end(p)
			})
		})
	}
}

// A server that is slow to all does not get more and more dials: the patience grows
// with what hangs, and with what a dial takes.
func TestASlowServerIsNotFloodedWithDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 20 * time.Second
		p := s.pool(func(c *Config[*fake]) { c.MaxOpen = 100 })
		acquire(t, p).Destroy(nil)
		require.LessOrEqual(t, s.n(&s.dials), 6)
		time.Sleep(time.Minute)
		p.Evict(nil)
		synctest.Wait()
		s.set(func() { s.dials = 0 })
		acquire(t, p).Release()
		require.Equal(t, 1, s.n(&s.dials), "known to be slow")
		_ = p.Close()
	})
}

// A dial that came late and fails tells nobody: who asked relies on another.
func TestALateFailureIsNobodysAsLongAsAnotherDialRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.onDial = func(ctx context.Context, n int) error {
			if n == 1 {
				time.Sleep(firstPatience + ms)
				return errDown
			}
			time.Sleep(10 * ms)
			return nil
		}
		p := s.pool()
		begin := time.Now()
		acquire(t, p).Release()
		require.Equal(t, firstPatience+10*ms, time.Since(begin))
		s.end(p)
		require.EqualValues(t, 1, p.Stats().DialErrors)

		// Without room for another, its failure is the caller's.
		s = newServer(t)
		s.onDial = func(ctx context.Context, _ int) error { time.Sleep(time.Second); return errDown }
		p = s.pool(func(c *Config[*fake]) { c.MaxOpen = 1 })
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown)
		s.end(p)
	})
}

// Who may not wait is not refused while there is room or will be without anybody's
// return.
func TestNoWaitersStillMeansADialForEachSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, before := range map[string]func(s *server, p *Pool[*fake]){
			"empty": func(*server, *Pool[*fake]) {},
			"closing": func(s *server, p *Pool[*fake]) {
				s.set(func() { s.closeTime = time.Second })
				acquire(t, p).Destroy(nil)
			},
			"backing off": func(s *server, p *Pool[*fake]) {
				s.set(func() { s.dialErr = errDown })
				_, err := p.Acquire(t.Context())
				require.ErrorIs(t, err, errDown)
				s.set(func() { s.dialErr = nil })
			},
		} {
			s := newServer(t)
			p := s.pool(func(c *Config[*fake]) {
				c.MaxOpen, c.MaxWaiters, c.Backoff = 1, -1, Backoff{Min: time.Second}
			})
			before(s, p)
			c := acquire(t, p)
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, ErrFull, name)
			c.Release()
			s.end(p)
		}
	})
}

// A Warm fails with its own dials, not with one that another caller gave up.
func TestWarmIsNotEndedByAnotherCallersDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.onDial = func(ctx context.Context, n int) error {
			if n == 1 {
				time.Sleep(10 * ms)
				return errDown
			}
			time.Sleep(time.Second)
			return nil
		}
		p := s.pool(func(c *Config[*fake]) { c.DialTimeout = 2 * time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), ms)
		defer cancel()
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, p.Warm(t.Context(), 1))
		s.end(p)
		require.EqualValues(t, 1, p.Stats().DialErrors)
	})
}
