package connpool_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// go-redis#3497: the request's ctx kills the dial, so that with short requests no
// connection is ever opened.
func TestRequestCtxDoesNotKillTheDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 50 * ms
		p := s.pool()
		ctx, cancel := context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		begin := time.Now()
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*ms, time.Since(begin))
		time.Sleep(41 * ms)
		c, err := p.TryAcquire()
		require.NoError(t, err, "the dial went on and serves the next")
		c.Release()
		require.EqualValues(t, 1, p.Stats().Timeouts)
		s.end(p)
	})
}

// go#10886: after a failed dial nobody dials for the other waiters.
func TestFailedDialDoesNotStrandWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 10 * ms
		s.onDial = func(_ context.Context, n int) error {
			if n <= 2 {
				return errDown
			}
			return nil
		}
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxDialing = 4, 1 })
		var wg sync.WaitGroup
		var mu sync.Mutex
		var failed, served int
		for range 10 {
			wg.Go(func() {
				c, err := p.Acquire(t.Context())
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					require.ErrorIs(t, err, errDown)
					failed++
					return
				}
				served++
				c.Release()
			})
		}
		wg.Wait()
		require.Equal(t, 2, failed, "a failure goes to its initiator alone")
		require.Equal(t, 8, served)
		require.Equal(t, 1, s.n(&s.peakDial))
		s.end(p)
	})
}

// go#64614: opens that were asked for are forgotten when connections are returned
// broken, and the waiters starve although there is room.
func TestPendingOpensAreNotAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 2 })
		a, b := acquire(t, p), acquire(t, p)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { acquire(t, p).Destroy(errDown) })
		}
		synctest.Wait()
		a.Destroy(errDown)
		b.Destroy(nil)
		wg.Wait()
		s.end(p)
		require.EqualValues(t, 7, p.Stats().ClosedBy.Destroy)
		require.Equal(t, 2, s.n(&s.peak))
	})
}

// vitess#21189: Close returns while a dial runs, whose connection nobody closes.
func TestCloseWaitsForDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.onDial = func(ctx context.Context, _ int) error {
			<-ctx.Done() // told to stop, it takes its time and succeeds all the same
			time.Sleep(time.Second)
			return nil
		}
		p := s.pool()
		errs := make(chan error, 1)
		go func() {
			_, err := p.Acquire(t.Context())
			errs <- err
		}()
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, p.Close())
		require.Equal(t, time.Second, time.Since(begin))
		require.ErrorIs(t, <-errs, connpool.ErrClosed)
		s.end(p)
		require.EqualValues(t, 1, p.Stats().ClosedBy.Close)
	})
}

// puddle 2.2.3: what CreateResource opens across a Reset stays in the pool.
func TestDialThatEndsAfterResetIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 10 * ms
		p := s.pool()
		got := make(chan connpool.Conn[*fake], 1)
		go func() { got <- acquire(t, p) }()
		time.Sleep(5 * ms)
		p.Reset()
		c := <-got
		require.Equal(t, 2, c.Value().id, "the second dial's")
		c.Release()
		require.EqualValues(t, 1, p.Stats().ClosedBy.Reset)
		s.end(p)
	})
}

// puddle, database/sql, go-redis: max 2, a dial takes 100 ms, a connection is
// returned after 5 ms: they wait for 100 ms.
func TestReleasedConnServesAnAcquirerThatDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 2 })
		a := acquire(t, p)
		s.set(func() { s.dialTime = 100 * ms })
		go func() {
			time.Sleep(5 * ms)
			a.Release()
		}()
		begin := time.Now()
		b := acquire(t, p)
		require.Equal(t, 5*ms, time.Since(begin))
		b.Release()
		time.Sleep(100 * ms)
		require.Equal(t, 2, p.Stats().Idle, "the dial's result is not lost")
		s.end(p)
	})
}
