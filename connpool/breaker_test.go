package connpool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestBackoffSpacesDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		begin := time.Now()
		var at []time.Duration
		s.onDial = func(context.Context, int) error {
			at = append(at, time.Since(begin))
			if len(at) <= 6 {
				return errDown
			}
			return nil
		}
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxDialing = 1
			c.Backoff = connpool.Backoff{Min: 100 * ms, Max: 800 * ms, Jitter: -1}
		})
		errs := 0
		for {
			c, err := p.Acquire(t.Context())
			if err == nil {
				c.Release()
				break
			}
			errs++
		}
		require.Equal(t, 6, errs)
		require.Equal(t, []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 2300 * ms, 3100 * ms}, at)
		require.Zero(t, p.Stats().DialFailures)
		s.end(p)
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		var states []connpool.BreakerState
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Breaker = connpool.Breaker{Failures: 3, OpenFor: 10 * time.Second}
			c.OnBreaker = func(b connpool.BreakerState) { s.set(func() { states = append(states, b) }) }
		})
		for range 3 {
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, errDown)
			require.NotErrorIs(t, err, connpool.ErrBreakerOpen)
			synctest.Wait()
		}
		require.Equal(t, connpool.BreakerOpen, p.Stats().Breaker)
		for range 100 {
			_, err := p.Acquire(t.Context())
			require.ErrorIs(t, err, connpool.ErrBreakerOpen)
			require.ErrorIs(t, err, errDown)
		}
		require.ErrorIs(t, p.Warm(t.Context(), 2), connpool.ErrBreakerOpen)
		require.Equal(t, 3, s.n(&s.dials), "fails at once, without a dial")
		time.Sleep(10 * time.Second)
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown, "half open: one try")
		require.NotErrorIs(t, err, connpool.ErrBreakerOpen)
		require.Equal(t, 4, s.n(&s.dials))
		_, err = p.Acquire(t.Context())
		require.ErrorIs(t, err, connpool.ErrBreakerOpen)
		time.Sleep(10 * time.Second)
		s.set(func() { s.dialErr = nil })
		acquire(t, p).Release()
		require.Equal(t, connpool.BreakerClosed, p.Stats().Breaker)
		s.end(p)
		require.Equal(t, []connpool.BreakerState{
			connpool.BreakerOpen, connpool.BreakerHalfOpen, connpool.BreakerOpen, connpool.BreakerHalfOpen, connpool.BreakerClosed,
		}, states)
	})
}

func TestOpenBreakerLetsWaitersWaitForConnsOnLoan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.Breaker = connpool.Breaker{Failures: 1, OpenFor: time.Hour} })
		c := acquire(t, p)
		s.set(func() { s.dialErr = errDown })
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown)
		got := make(chan error, 1)
		go func() {
			d, err := p.Acquire(t.Context())
			if err == nil {
				d.Destroy(nil) // the last one
			}
			got <- err
		}()
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Waiting)
		go func() {
			_, err := p.Acquire(t.Context())
			got <- err
		}()
		synctest.Wait()
		c.Release()
		require.NoError(t, <-got)
		require.ErrorIs(t, <-got, connpool.ErrBreakerOpen, "nothing can come back any more")
		s.end(p)
	})
}

func TestHalfOpenBreakerTriesOneDialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr, s.dialTime = errDown, ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.Breaker = connpool.Breaker{Failures: 1, OpenFor: time.Second} })
		_, err := p.Acquire(t.Context())
		require.Error(t, err)
		time.Sleep(time.Second)
		s.set(func() { s.peakDial, s.dialErr = 0, nil })
		done := make(chan error, 4)
		for range 4 {
			go func() {
				c, err := p.Acquire(t.Context())
				if err == nil {
					time.Sleep(10 * ms)
					c.Release()
				}
				done <- err
			}()
		}
		time.Sleep(ms / 2)
		require.Equal(t, 1, p.Stats().Dialing)
		for range 4 {
			require.NoError(t, <-done)
		}
		s.end(p)
	})
}
