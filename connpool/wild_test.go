package connpool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// Each test here, in wild_dial_test.go and in wild_ping_test.go is a bug of another
// pool, by the name of what goes wrong and where it was seen.

const ms = time.Millisecond

// Check, then act on the count: 64 calls at once open 64 of 4.
func TestConcurrentAcquiresDoNotOvershootTheMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 10 * ms
		p := s.pool()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				c := acquire(t, p)
				s.use(c, ms)
				c.Release()
			})
		}
		wg.Wait()
		require.Equal(t, 4, s.n(&s.peak))
		s.end(p)
	})
}

// A release after Close panics, an acquire after Close returns nil and no error.
func TestReleaseAfterCloseClosesAndAcquireAfterCloseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		c := acquire(t, p)
		done := make(chan error)
		go func() { done <- p.Close() }()
		synctest.Wait()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, connpool.ErrClosed)
		_, err = p.TryAcquire()
		require.ErrorIs(t, err, connpool.ErrClosed)
		c.Release()
		require.NoError(t, <-done)
		s.end(p)
	})
}

// The idle timeout is a field that nobody reads.
func TestIdleTimeoutIsEnforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.IdleTimeout, c.Tick = time.Second, 100*ms })
		c := acquire(t, p)
		c.Release()
		time.Sleep(999 * ms)
		require.Equal(t, 1, p.Stats().Open, "never early")
		time.Sleep(201 * ms)
		require.Zero(t, p.Stats().Open, "within two ticks")
		require.EqualValues(t, 1, p.Stats().ClosedBy.IdleTime)
		s.end(p)
	})
}

// database/sql before go1.24: waiters are served in random order (go#31708).
func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		c := acquire(t, p)
		var order []int
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				c := acquire(t, p)
				order = append(order, i) // the only connection guards it
				c.Release()
			})
			synctest.Wait()
		}
		c.Release()
		wg.Wait()
		for i, n := range order {
			require.Equal(t, i, n)
		}
		require.Len(t, order, 100)
		require.EqualValues(t, 100, p.Stats().Handoffs)
		s.end(p)
	})
}

// vitess#17662: a connection returned at the moment somebody begins to wait is
// seen by neither. Plain scheduling, many times: the window is a few instructions.
func TestNoLostWakeUp(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
	rounds := long(t, 20000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range rounds {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				c, err := p.Acquire(ctx)
				cancel()
				if err != nil {
					t.Errorf("lost: %v", err)
					return
				}
				if i%16 == 0 {
					runtime.Gosched()
				}
				c.Release()
			}
		})
	}
	wg.Wait()
	s.end(p)
}

// vitess#20310: a connection is handed to a waiter whose ctx has expired and then
// is lost, or late.
func TestConnIsNotHandedToAnExpiredWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		c := acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := p.Acquire(ctx)
				errs <- err
			}()
		}
		synctest.Wait()
		got := make(chan connpool.Conn[*fake], 1)
		go func() { got <- acquire(t, p) }()
		synctest.Wait()
		cancel() // and at once, before the cancelled can leave:
		c.Release()
		(<-got).Release()
		for range 3 {
			require.ErrorIs(t, <-errs, context.Canceled)
		}
		require.EqualValues(t, 3, p.Stats().Canceled)
		require.Zero(t, p.Stats().Undelivered)
		s.end(p)
	})
}

// pgx#1437: the jitter is rolled anew at every look, so nearly all connections die
// at the earliest possible age.
func TestLifetimeJitterIsDrawnOncePerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		var mu sync.Mutex
		var ages []time.Duration
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.MaxLifetime, c.LifetimeJitter, c.Tick = 100, 100*time.Second, 50*time.Second, 100*ms
			c.OnClosed = func(_ *fake, i connpool.Info, _ error) {
				mu.Lock()
				defer mu.Unlock()
				ages = append(ages, i.Age)
				if i.Age < i.Lifetime || i.Age > i.Lifetime+200*ms {
					t.Errorf("closed at %v, its lifetime is %v", i.Age, i.Lifetime)
				}
			}
		})
		require.NoError(t, p.Warm(t.Context(), 100))
		time.Sleep(101 * time.Second)
		require.Zero(t, p.Stats().Open)
		require.EqualValues(t, 100, p.Stats().ClosedBy.Lifetime)
		late := 0
		for _, a := range ages {
			require.Greater(t, a, 49*time.Second)
			if a > 75*time.Second {
				late++
			}
		}
		require.InDelta(t, 50, late, 30, "spread over the whole range")
		s.end(p)
	})
}

// clickhouse-go#1759: an Acquire that is cancelled keeps its slot.
func TestCancelledAcquireLeaksNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 2 })
		for i := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%3)*ms/2)
			if c, err := p.Acquire(ctx); err == nil {
				c.Release()
			}
			cancel()
		}
		a, b := acquire(t, p), acquire(t, p)
		a.Release()
		b.Release()
		s.end(p)
	})
}

// puddle 2.2.3: Close leaves those waiting who wait already.
func TestCloseWakesEveryWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		c := acquire(t, p)
		errs := make(chan error, 50)
		for range 50 {
			go func() {
				_, err := p.Acquire(context.Background())
				errs <- err
			}()
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() {
			p.Close()
			close(closed)
		}()
		for range 50 {
			require.ErrorIs(t, <-errs, connpool.ErrClosed)
		}
		select {
		case <-closed:
			t.Fatal("Close did not wait for the loan")
		default:
		}
		c.Release()
		<-closed
		s.end(p)
	})
}

// A slot freed before the close has returned lets the server see 5 of 4.
func TestSlotIsFreeOnlyAfterCloseReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.closeTime = 100 * ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		acquire(t, p).Destroy(errDown)
		require.Equal(t, 1, p.Stats().Closing)
		begin := time.Now()
		c := acquire(t, p)
		require.Equal(t, 100*ms, time.Since(begin))
		c.Release()
		s.end(p)
		require.Equal(t, 1, s.n(&s.peak))
	})
}

// database/sql's TestConnectionLeak: a failing use must not leak its connection.
func TestFailingUseDoesNotLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		app := errors.New("no such row")
		require.ErrorIs(t, p.Do(t.Context(), func(context.Context, *fake) error { return app }), app)
		require.EqualValues(t, 1, p.Stats().Idle, "an application's error keeps the connection")
		require.ErrorIs(t, p.Do(t.Context(), func(context.Context, *fake) error { return connpool.ErrBadConn }), connpool.ErrBadConn)
		require.PanicsWithValue(t, "boom", func() {
			_ = p.Do(t.Context(), func(context.Context, *fake) error { panic("boom") })
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = p.Do(t.Context(), func(context.Context, *fake) error { runtime.Goexit(); return nil })
		}()
		<-done
		acquire(t, p).Release()
		require.EqualValues(t, 3, p.Stats().ClosedBy.Destroy)
		s.end(p)
	})
}
