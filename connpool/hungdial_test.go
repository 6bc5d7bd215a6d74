package connpool_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// The same through the pool: the timer is armed for the very moment, and who comes
// at it dials.
func TestAcquireAtTheVeryEndOfThePause(t *testing.T) {
	for _, early := range []time.Duration{1, 0, -1} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.dialErr = errDown
			p := s.pool(func(c *connpool.Config[*fake]) { c.Backoff = connpool.Backoff{Min: ms, Jitter: -1} })
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
	p, err := connpool.New(connpool.Config[int]{
		Dial:    func(context.Context) (int, error) { return 0, errDown },
		Close:   func(int) error { return nil },
		MaxOpen: 1, Backoff: connpool.Backoff{Min: 400, Max: 4000},
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

// Every duration of Config may be as long as can be: it never comes then.
func TestTheLongestDurationsNeverCome(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	for name, change := range map[string]func(*connpool.Config[*fake]){
		"MaxLifetime":    func(c *connpool.Config[*fake]) { c.MaxLifetime, c.LifetimeJitter = forever, -1 },
		"LifetimeJitter": func(c *connpool.Config[*fake]) { c.MaxLifetime, c.LifetimeJitter = forever, forever/2 },
		"IdleTimeout":    func(c *connpool.Config[*fake]) { c.IdleTimeout, c.IdleJitter = forever, -1 },
		"IdleJitter":     func(c *connpool.Config[*fake]) { c.IdleTimeout, c.IdleJitter = forever, forever/2 },
		"CheckAfterIdle": func(c *connpool.Config[*fake]) { c.CheckAfterIdle = forever },
		"KeepAlive":      func(c *connpool.Config[*fake]) { c.KeepAlive, c.CheckAfterIdle = forever, forever },
		"DialTimeout":    func(c *connpool.Config[*fake]) { c.DialTimeout = forever },
		"CheckTimeout":   func(c *connpool.Config[*fake]) { c.CheckTimeout = forever },
		"LeakAfter":      func(c *connpool.Config[*fake]) { c.LeakAfter = forever },
		"Tick":           func(c *connpool.Config[*fake]) { c.Tick = forever },
		"Backoff": func(c *connpool.Config[*fake]) {
			c.Backoff = connpool.Backoff{Min: forever, Max: forever, Factor: math.MaxFloat64}
		},
		"OpenFor": func(c *connpool.Config[*fake]) { c.Breaker = connpool.Breaker{Failures: 1, OpenFor: forever} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				s.checkErr = errDown // a check closes
				p := s.pool(func(c *connpool.Config[*fake]) {
					c.Check, c.CheckAfterIdle, c.Tick = s.check, forever, 10*time.Minute
					change(c)
				})
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
					require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, connpool.ErrBreakerOpen))
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
	giveUp := func(t *testing.T, p *connpool.Pool[*fake], after time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	for name, tt := range map[string]struct {
		change func(*connpool.Config[*fake])
		run    func(t *testing.T, s *server, p *connpool.Pool[*fake])
		want   time.Duration // from the start, how long until a connection is there
	}{
		"its own caller": {nil, func(t *testing.T, _ *server, p *connpool.Pool[*fake]) { acquire(t, p).Release() }, connpool.FirstPatience},
		"a lone caller after one that left": {nil, func(t *testing.T, _ *server, p *connpool.Pool[*fake]) {
			giveUp(t, p, ms)
			acquire(t, p).Release()
		}, ms},
		"TryAcquire after one that left": {nil, func(t *testing.T, _ *server, p *connpool.Pool[*fake]) {
			giveUp(t, p, ms)
			_, err := p.TryAcquire()
			require.ErrorIs(t, err, connpool.ErrNotReady)
			synctest.Wait()
			c, err := p.TryAcquire()
			require.NoError(t, err)
			c.Release()
		}, ms},
		"TryAcquire alone": {nil, func(t *testing.T, _ *server, p *connpool.Pool[*fake]) {
			for {
				if c, err := p.TryAcquire(); err == nil {
					c.Release()
					return
				}
				synctest.Wait()
				time.Sleep(connpool.FirstPatience/4 + ms) // real time: in the bubble below
			}
		}, 5 * (connpool.FirstPatience/4 + ms)},
		"Warm": {nil, func(t *testing.T, _ *server, p *connpool.Pool[*fake]) { require.NoError(t, p.Warm(t.Context(), 1)) }, connpool.FirstPatience},
		"MinIdle": {func(c *connpool.Config[*fake]) { c.MinIdle, c.Tick = 1, 130*ms }, func(t *testing.T, s *server, p *connpool.Pool[*fake]) {
			for p.Stats().Idle == 0 {
				time.Sleep(100 * ms) // real time: in the bubble below
				synctest.Wait()
			}
		}, connpool.FirstPatience + 100*ms},
		"half open": {func(c *connpool.Config[*fake]) { c.Breaker = connpool.Breaker{Failures: 1, OpenFor: time.Second} }, func(t *testing.T, s *server, p *connpool.Pool[*fake]) {
			giveUp(t, p, ms)
			s.set(func() { s.dialErr = errDown })
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, errDown)
			_, err = p.Acquire(t.Context())
			require.ErrorIs(t, err, connpool.ErrBreakerOpen, "the one that hangs does not count")
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
				p := s.pool(func(c *connpool.Config[*fake]) {
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
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 100 })
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
				time.Sleep(connpool.FirstPatience + ms)
				return errDown
			}
			time.Sleep(10 * ms)
			return nil
		}
		p := s.pool()
		begin := time.Now()
		acquire(t, p).Release()
		require.Equal(t, connpool.FirstPatience+10*ms, time.Since(begin))
		s.end(p)
		require.EqualValues(t, 1, p.Stats().DialErrors)

		// Without room for another, its failure is the caller's.
		s = newServer(t)
		s.onDial = func(ctx context.Context, _ int) error { time.Sleep(time.Second); return errDown }
		p = s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown)
		s.end(p)
	})
}

// Who may not wait is not refused while there is room or will be without anybody's
// return.
func TestNoWaitersStillMeansADialForEachSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, before := range map[string]func(s *server, p *connpool.Pool[*fake]){
			"empty": func(*server, *connpool.Pool[*fake]) {},
			"closing": func(s *server, p *connpool.Pool[*fake]) {
				s.set(func() { s.closeTime = time.Second })
				acquire(t, p).Destroy(nil)
			},
			"backing off": func(s *server, p *connpool.Pool[*fake]) {
				s.set(func() { s.dialErr = errDown })
				_, err := p.Acquire(t.Context())
				require.ErrorIs(t, err, errDown)
				s.set(func() { s.dialErr = nil })
			},
		} {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) {
				c.MaxOpen, c.MaxWaiters, c.Backoff = 1, -1, connpool.Backoff{Min: time.Second}
			})
			before(s, p)
			c := acquire(t, p)
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, connpool.ErrFull, name)
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
		p := s.pool(func(c *connpool.Config[*fake]) { c.DialTimeout = 2 * time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), ms)
		defer cancel()
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, p.Warm(t.Context(), 1))
		s.end(p)
		require.EqualValues(t, 1, p.Stats().DialErrors)
	})
}
