package connpool_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// Rules that one case alone shows.

// Nobody but the Warm waits for the end of the back-off.
func TestAWarmWaitsForTheEndOfTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		p := s.pool(func(c *connpool.Config[*fake]) { c.Backoff = connpool.Backoff{Min: time.Second, Jitter: -1} })
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown)
		s.set(func() { s.dialErr = nil })
		begin := time.Now()
		require.NoError(t, p.Warm(t.Context(), 2))
		require.Equal(t, time.Second, time.Since(begin))
		s.end(p)
	})
}

// A pause ends by a call of Resume alone, so a free slot is nothing to wait for.
func TestMaxWaitersDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxWaiters = 4, 1 })
		p.Pause()
		done := make(chan struct{})
		go func() {
			defer close(done)
			acquire(t, p).Release()
		}()
		synctest.Wait()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, connpool.ErrFull)
		p.Resume()
		<-done
		s.end(p)
		require.EqualValues(t, 1, p.Stats().Rejected)
	})
}

// The first loan of a connection goes by the slow path, which looks at ctx too. So this
// is about a later one.
func TestACtxThatIsDoneWinsOnTheFastPath(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
	for range 3 {
		acquire(t, p).Release()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 * runtime.GOMAXPROCS(0) {
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
	s.end(p)
	require.EqualValues(t, 3, p.Stats().Acquires)
}

// What ends a loan without a word about the connection casts no suspicion on the others.
func TestNoSuspicionWithoutABrokenConnection(t *testing.T) {
	for name, f := range map[string]func(t *testing.T, p *connpool.Pool[*fake]){
		"a panic in Do": func(t *testing.T, p *connpool.Pool[*fake]) {
			require.Panics(t, func() {
				_ = p.Do(t.Context(), func(context.Context, *fake) error { panic("the caller's fault") })
			})
		},
		"a Reset that failed": func(t *testing.T, p *connpool.Pool[*fake]) {
			c := acquire(t, p)
			c.Value().broken.Store(true)
			c.Release()
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) {
				c.Check, c.CheckAfterIdle = s.check, time.Hour
				c.Reset = func(_ context.Context, f *fake) error {
					if f.broken.Load() {
						return errDown
					}
					return nil
				}
			})
			require.NoError(t, p.Warm(t.Context(), 3))
			f(t, p)
			synctest.Wait()
			require.Equal(t, 2, p.Stats().Open, name)
			for range 3 {
				acquire(t, p).Release()
				synctest.Wait()
			}
			require.Zero(t, p.Stats().Checks, name)
			s.end(p)
		})
	}
}

// A connection that was suspect is checked once.
func TestASuspectIsCheckedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.Check, c.CheckAfterIdle = 2, s.check, time.Hour })
		a, b := acquire(t, p), acquire(t, p)
		f := a.Value()
		b.Destroy(nil)
		synctest.Wait()
		require.NoError(t, p.Resize(1))
		a.Release()
		for range 3 { // returns to one who waits, which the fast path does not see
			a = acquire(t, p)
			got := make(chan connpool.Conn[*fake])
			go func() { got <- acquire(t, p) }()
			synctest.Wait()
			a.Release()
			(<-got).Release()
		}
		require.EqualValues(t, 1, f.checks.Load())
		s.end(p)
	})
}

// The second run is the last, whatever connection it had.
func TestRetryBrokenRunsTwiceAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Check, c.CheckAfterIdle, c.RetryBroken = s.check, time.Hour, true
		})
		require.NoError(t, p.Warm(t.Context(), 4))
		for _, c := range p.AcquireAllIdle() {
			c.Release()
		}
		time.Sleep(time.Minute) // none is fresh
		runs := 0
		err := p.Do(t.Context(), func(context.Context, *fake) error { runs++; return connpool.ErrBadConn })
		require.ErrorIs(t, err, connpool.ErrBadConn)
		require.Equal(t, 2, runs)
		require.EqualValues(t, 1, p.Stats().Retries)
		require.EqualValues(t, 2, p.Stats().ClosedBy.Destroy)

		// Who has given up waits for no other connection.
		ctx, cancel := context.WithCancel(t.Context())
		gone := errors.Join(connpool.ErrBadConn)
		err = p.Do(ctx, func(context.Context, *fake) error { cancel(); return gone })
		require.Equal(t, gone, err)
		require.Zero(t, p.Stats().Canceled)
		s.end(p)
	})
}

func TestNoKeepAliveDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Check, c.CheckAfterIdle, c.KeepAlive, c.Tick = s.check, time.Hour, time.Second, 100*ms
		})
		require.NoError(t, p.Warm(t.Context(), 2))
		p.Pause()
		time.Sleep(10 * time.Second)
		require.Zero(t, p.Stats().Checks)
		p.Resume()
		time.Sleep(2 * time.Second)
		require.NotZero(t, p.Stats().Checks)
		s.end(p)
	})
}

// What will be closed anyhow is not reset.
func TestNoResetOfWhatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		resets := 0
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Reset = func(context.Context, *fake) error { s.set(func() { resets++ }); return nil }
		})
		c := acquire(t, p)
		require.Equal(t, 1, p.Evict(nil))
		c.Release()
		synctest.Wait()
		require.Zero(t, s.n(&resets))
		require.EqualValues(t, 1, p.Stats().ClosedBy.Evict)
		s.end(p)
	})
}

// Connections that go idle together do not end together.
func TestIdleJitterSpreadsTheEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.MaxClosing, c.Tick = 100, -1, time.Second
			c.IdleTimeout, c.IdleJitter = 100*time.Second, 50*time.Second
		})
		require.NoError(t, p.Warm(t.Context(), 100))
		time.Sleep(50 * time.Second)
		require.Equal(t, 100, p.Stats().Idle)
		time.Sleep(26 * time.Second)
		require.InDelta(t, 50, p.Stats().Idle, 25)
		time.Sleep(26 * time.Second)
		require.Zero(t, p.Stats().Open)
		require.EqualValues(t, 100, p.Stats().ClosedBy.IdleTime)
		s.end(p)
	})
}

// What KeepAlive has no turn for is checked before its next loan.
func TestWhatKeepAliveDoesNotReachIsCheckedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.Tick = 8, 100*ms
			c.Check, c.CheckAfterIdle, c.KeepAlive, c.CheckTimeout = s.check, time.Second, time.Second, -1
		})
		require.NoError(t, p.Warm(t.Context(), 8))
		s.set(func() { s.checkTime = time.Hour })
		time.Sleep(2 * time.Second)
		require.Equal(t, 2, p.Stats().Busy, "a quarter at once")
		s.set(func() { s.checkTime = 0 })
		var held []connpool.Conn[*fake]
		for range 6 {
			held = append(held, acquire(t, p))
			require.EqualValues(t, 1, held[len(held)-1].Value().checks.Load())
		}
		for _, c := range held {
			c.Release()
		}
		s.end(p)
	})
}

// Two dials hang. With each the patience ends in its time.
func TestThePatienceWithEachDialEndsInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.onDial = func(ctx context.Context, n int) error {
			if n <= 2 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 10 })
		begin := time.Now()
		waits := make(chan time.Duration, 2)
		for range 2 {
			go func() {
				c := acquire(t, p)
				waits <- time.Since(begin)
				time.Sleep(time.Hour) // real time: in the bubble
				c.Release()
			}()
			time.Sleep(100 * ms)
		}
		require.Equal(t, connpool.FirstPatience, <-waits)
		require.Equal(t, connpool.FirstPatience+100*ms, <-waits)
		s.end(p)
	})
}
