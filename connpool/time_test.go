package connpool_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestMinIdleIsFilledAndRefilledWithinATick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MinIdle, c.MaxDialing, c.Tick = 3, 1, 100*ms })
		time.Sleep(4 * ms)
		require.Equal(t, 3, p.Stats().Idle)
		require.Equal(t, 1, s.n(&s.peakDial))
		a := acquire(t, p)
		time.Sleep(101 * ms)
		require.Equal(t, 3, p.Stats().Idle, "refilled while one is out")
		a.Destroy(nil)
		time.Sleep(101 * ms)
		require.Equal(t, 3, p.Stats().Idle)
		s.end(p)
		require.Equal(t, 4, s.n(&s.peak))
	})
}

func TestMinIdleDoesNotStormAServerThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		p := s.pool(func(c *connpool.Config[*fake]) { c.MinIdle, c.Tick = 4, 100*ms })
		time.Sleep(1050 * ms)
		require.LessOrEqual(t, s.n(&s.dials), 11*4, "one attempt for each per tick")
		s.set(func() { s.dialErr = nil })
		time.Sleep(101 * ms)
		require.Equal(t, 4, p.Stats().Idle, "recovered within a tick")
		s.end(p)
	})
}

func TestIdleTimeKeepsMinIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.MinIdle, c.IdleTimeout, c.Tick = 8, 2, time.Second, 100*ms
		})
		require.NoError(t, p.Warm(t.Context(), 8))
		time.Sleep(time.Minute)
		require.Equal(t, 2, p.Stats().Idle)
		require.EqualValues(t, 6, p.Stats().ClosedBy.IdleTime)
		s.end(p)
	})
}

func TestIdleTimeDoesNotTouchWhatIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.IdleTimeout, c.Tick = time.Second, 100*ms })
		for range 100 {
			c := acquire(t, p)
			time.Sleep(300 * ms)
			c.Release()
			time.Sleep(600 * ms)
		}
		require.Equal(t, 1, s.n(&s.dials))
		s.end(p)
	})
}

func TestLifetimeEndsALoanedConnAtItsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxLifetime, c.LifetimeJitter, c.Tick = time.Second, -1, 100*ms })
		c := acquire(t, p)
		time.Sleep(5 * time.Second)
		require.Equal(t, connpool.ByLifetime, c.Info().Reason)
		require.False(t, c.Value().closed.Load())
		c.Release()
		synctest.Wait()
		require.Zero(t, p.Stats().Open)
		require.EqualValues(t, 1, p.Stats().ClosedBy.Lifetime)
		s.end(p)
	})
}

func TestMaxUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxUses, c.MaxOpen = 3, 1 })
		for i := range 10 {
			c := acquire(t, p)
			require.Equal(t, i/3+1, c.Value().id)
			require.EqualValues(t, i%3+1, c.Info().Uses)
			c.Release()
		}
		// The same through hand-offs.
		c := acquire(t, p)
		got := make(chan int, 5)
		for range 5 {
			go func() {
				c := acquire(t, p)
				got <- c.Value().id
				c.Release()
			}()
		}
		synctest.Wait()
		c.Release()
		for _, id := range []int{4, 5, 5, 5, 6} {
			require.Equal(t, id, <-got)
		}
		require.EqualValues(t, 5, p.Stats().ClosedBy.MaxUses)
		s.end(p)
	})
}

func TestCheckAfterIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.Check, c.CheckAfterIdle, c.Tick = s.check, time.Second, 100*ms })
		c := acquire(t, p)
		f := c.Value()
		c.Release()
		time.Sleep(500 * ms)
		acquire(t, p).Release()
		require.Zero(t, f.checks.Load(), "fresh enough")
		time.Sleep(1300 * ms)
		acquire(t, p).Release()
		require.EqualValues(t, 1, f.checks.Load())
		time.Sleep(500 * ms)
		acquire(t, p).Release()
		require.EqualValues(t, 1, f.checks.Load())
		s.end(p)
	})
}

func TestEveryLoanIsPrecededByACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.Check, c.CheckAfterIdle, c.MaxOpen = s.check, -1, 1 })
		for i := range 5 {
			c := acquire(t, p)
			require.EqualValues(t, i, c.Value().checks.Load(), "a new one needs none")
			c.Release()
		}
		_, err := p.TryAcquire()
		require.ErrorIs(t, err, connpool.ErrNotReady)
		synctest.Wait()
		c, err := p.TryAcquire()
		require.NoError(t, err, "checked in the background")
		c.Release()
		// Through the queue, too.
		c = acquire(t, p)
		done := make(chan struct{})
		go func() {
			defer close(done)
			d := acquire(t, p)
			require.EqualValues(t, 7, d.Value().checks.Load())
			d.Release()
		}()
		synctest.Wait()
		c.Release()
		<-done
		s.end(p)
	})
}

func TestFailedCheckMakesTheOthersSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Check, c.CheckAfterIdle, c.KeepAlive, c.Tick = s.check, time.Hour, time.Second, 100*ms
		})
		require.NoError(t, p.Warm(t.Context(), 4))
		s.set(func() { s.checkErr = errDown }) // restarted: all are dead
		for p.Stats().CheckFailures == 0 {
			time.Sleep(100 * ms)
		}
		c := acquire(t, p)
		require.Equal(t, 5, c.Value().id, "no dead connection is lent")
		c.Release()
		s.end(p)
	})
}

func TestKeepAliveKeepsAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Check, c.CheckAfterIdle, c.KeepAlive, c.Tick = s.check, time.Hour, time.Second, 100*ms
		})
		c := acquire(t, p)
		f := c.Value()
		c.Release()
		time.Sleep(10 * time.Second)
		require.InDelta(t, 9, f.checks.Load(), 2)
		require.Equal(t, 1, p.Stats().Idle)
		f.broken.Store(true)
		time.Sleep(2 * time.Second)
		require.Zero(t, p.Stats().Open)
		require.EqualValues(t, 1, p.Stats().ClosedBy.Check)
		s.end(p)
	})
}

func TestResetRunsBeforeTheNextLoan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		var fail atomic.Bool
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen = 1
			c.Reset = func(ctx context.Context, f *fake) error {
				f.resets.Add(1)
				if fail.Load() {
					return errDown
				}
				return sleep(ctx, 10*ms)
			}
		})
		c := acquire(t, p)
		begin := time.Now()
		c.Release()
		require.Zero(t, time.Since(begin), "Release does not wait")
		require.Equal(t, 1, p.Stats().Busy)
		c = acquire(t, p)
		require.Equal(t, 10*ms, time.Since(begin))
		require.EqualValues(t, 1, c.Value().resets.Load())
		fail.Store(true)
		c.Release()
		require.Equal(t, 2, acquire(t, p).Hijack().id, "a failed reset closes the connection")
		require.EqualValues(t, 1, p.Stats().CheckFailures)
		s.mu.Lock()
		s.slots, s.conns = 0, nil
		s.mu.Unlock()
		s.end(p)
	})
}

func TestDialAndCheckTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = time.Hour
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.DialTimeout, c.CheckTimeout, c.Check, c.CheckAfterIdle = 2*time.Second, time.Second, s.check, -1
			c.MaxOpen = 1
		})
		begin := time.Now()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "dial")
		require.Equal(t, 2*time.Second, time.Since(begin))
		s.set(func() { s.dialTime = 0 })
		acquire(t, p).Release()
		s.set(func() { s.checkTime = time.Hour })
		begin = time.Now()
		c := acquire(t, p)
		require.Equal(t, time.Second, time.Since(begin), "the check timed out, a dial replaced it")
		require.Equal(t, 3, c.Value().id)
		c.Release()
		s.end(p)
	})
}

func TestSurplusOfMaxIdleIsClosedAtReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxIdle = 8, 2 })
		var all []connpool.Conn[*fake]
		for range 8 {
			all = append(all, acquire(t, p))
		}
		for _, c := range all {
			c.Release()
		}
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Idle)
		require.EqualValues(t, 6, p.Stats().ClosedBy.MaxIdle)
		s.end(p)

		s = newServer(t)
		p = s.pool(func(c *connpool.Config[*fake]) { c.MaxIdle = -1 })
		acquire(t, p).Release()
		synctest.Wait()
		require.Zero(t, p.Stats().Open, "none is kept")
		s.end(p)
	})
}

func TestWaitErrorSaysWhatThePoolWasBusyWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 2 })
		a, b := acquire(t, p), acquire(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Acquire(ctx)
		var w *connpool.WaitError
		require.True(t, errors.As(err, &w))
		require.Equal(t, connpool.WaitError{Err: context.DeadlineExceeded, Waited: time.Second, MaxOpen: 2, Open: 2, InUse: 2}, *w)
		require.EqualError(t, err, "connpool: acquire: context deadline exceeded after 1s (2 of 2 open, 2 in use, 0 dialing, 0 waiting)")
		a.Release()
		b.Release()
		s.end(p)
	})
}
