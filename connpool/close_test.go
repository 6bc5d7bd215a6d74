package connpool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestCloseIsIdempotentAndReportsCloseErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.closeErr = errDown
		p := s.pool()
		acquire(t, p).Release()
		require.ErrorIs(t, p.Close(), errDown)
		require.ErrorIs(t, p.Close(), errDown)
		require.ErrorIs(t, p.Shutdown(t.Context()), errDown)
		require.ErrorIs(t, p.Warm(t.Context(), 1), connpool.ErrClosed)
		require.ErrorIs(t, p.Resize(3), connpool.ErrClosed)
		require.Empty(t, p.AcquireAllIdle())
		require.Zero(t, p.Evict(nil))
		p.Reset()
		p.Pause()
		p.Resume()
		require.ErrorIs(t, p.Do(t.Context(), nil), connpool.ErrClosed)
		s.end(p)
	})
}

func TestShutdownSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		a, b := acquire(t, p), acquire(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "2 connections on loan")
		a.Release()
		b.Destroy(nil)
		require.NoError(t, p.Shutdown(t.Context()), "later it is complete")
		s.end(p)
	})
}

func TestShutdownCancelsWhatRunsInDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		done := make(chan error, 1)
		go func() {
			done <- p.Do(t.Context(), func(ctx context.Context, _ *fake) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.Shutdown(ctx), context.DeadlineExceeded)
		require.ErrorIs(t, <-done, connpool.ErrClosed)
		s.end(p)
	})
}

func TestCloseCancelsChecksAndResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Reset = func(ctx context.Context, _ *fake) error { <-ctx.Done(); return ctx.Err() }
			c.CheckTimeout = -1
		})
		acquire(t, p).Release()
		begin := time.Now()
		require.NoError(t, p.Close())
		require.Zero(t, time.Since(begin))
		require.EqualValues(t, 1, p.Stats().ClosedBy.Close)
		require.Zero(t, p.Stats().CheckFailures)
		s.end(p)
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 2 })
		held := acquire(t, p)
		acquire(t, p).Release()
		p.Pause()
		_, err := p.TryAcquire()
		require.ErrorIs(t, err, connpool.ErrPaused)
		require.Empty(t, p.AcquireAllIdle())
		got := make(chan connpool.Conn[*fake], 2)
		for range 2 {
			go func() { got <- acquire(t, p) }()
		}
		held.Release()
		time.Sleep(time.Minute)
		require.Equal(t, 2, p.Stats().Waiting)
		require.True(t, p.Stats().Paused)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.Acquire(ctx)
		require.ErrorContains(t, err, "paused")
		require.Equal(t, 2, p.Stats().Idle)
		p.Resume()
		a, b := <-got, <-got
		a.Release()
		b.Release()
		s.end(p)
	})
}

func TestPausedPoolDialsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MinIdle, c.Tick = 2, ms })
		synctest.Wait()
		p.Pause()
		p.Reset()
		time.Sleep(time.Second)
		require.Equal(t, 2, s.n(&s.dials))
		p.Resume()
		time.Sleep(2 * ms)
		require.Equal(t, 2, p.Stats().Idle)
		s.end(p)
	})
}

func TestWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 10 * ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxDialing, c.MaxIdle = 6, 2, 5 })
		begin := time.Now()
		require.NoError(t, p.Warm(t.Context(), 5))
		require.Equal(t, 30*ms, time.Since(begin), "two at a time")
		require.Equal(t, 5, p.Stats().Idle)
		require.NoError(t, p.Warm(t.Context(), 5))
		require.NoError(t, p.Warm(t.Context(), 0))
		require.NoError(t, p.Warm(t.Context(), -1))
		require.ErrorContains(t, p.Warm(t.Context(), 6), "exceeds the limit of 5")
		p.Evict(nil)
		s.set(func() { s.dialErr = errDown })
		require.ErrorIs(t, p.Warm(t.Context(), 5), errDown)
		time.Sleep(20 * ms) // the other dial under way fails, too
		s.set(func() { s.dialErr, s.dialTime = nil, time.Hour })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.Warm(ctx, 5), context.DeadlineExceeded)
		require.False(t, p.Warming())
		warm := make(chan error)
		go func() { warm <- p.Warm(context.Background(), 5) }()
		synctest.Wait()
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-warm, connpool.ErrClosed)
		s.end(p)
	})
}

func TestMaxWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxWaiters = 2, 1 })
		got := make(chan connpool.Conn[*fake], 3)
		for range 3 { // two with a dial of their own, one waiter
			go func() { got <- acquire(t, p) }()
		}
		synctest.Wait()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, connpool.ErrFull)
		require.EqualValues(t, 1, p.Stats().Rejected)
		for range 3 {
			(<-got).Release()
		}
		s.end(p)

		p = s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxWaiters = 1, -1 })
		c := acquire(t, p)
		_, err = p.Acquire(t.Context())
		require.ErrorIs(t, err, connpool.ErrFull, "none may wait")
		c.Release()
		require.NoError(t, p.Close())
	})
}

func TestTryAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		_, err := p.TryAcquire()
		require.ErrorIs(t, err, connpool.ErrNotReady)
		synctest.Wait()
		c, err := p.TryAcquire()
		require.NoError(t, err, "dialed in the background")
		_, err = p.TryAcquire()
		require.ErrorIs(t, err, connpool.ErrNotReady)
		require.Equal(t, 1, s.n(&s.dials))
		require.EqualValues(t, 2, p.Stats().NotReady)
		c.Release()
		s.end(p)
	})
}

func TestAcquireAllIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		require.NoError(t, p.Warm(t.Context(), 4))
		c := acquire(t, p)
		all := p.AcquireAllIdle()
		require.Len(t, all, 3)
		require.Empty(t, p.AcquireAllIdle())
		for _, o := range append(all, c) {
			s.use(o, 0)
			o.Release()
		}
		require.EqualValues(t, 4, p.Stats().Acquires)
		s.end(p)
	})
}

func TestHijackFreesTheSlotAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		c := acquire(t, p)
		f := c.Hijack()
		c.Release() // deferred, say
		d := acquire(t, p)
		require.NotEqual(t, f.id, d.Value().id)
		d.Release()
		require.EqualValues(t, 1, p.Stats().Hijacked)
		require.NoError(t, p.Close())
		require.False(t, f.closed.Load(), "it is the caller's to close")
		require.NoError(t, s.close(f))
		require.Zero(t, s.n(&s.slots))
	})
}

func TestDoneCtxWinsOverAnIdleConn(t *testing.T) {
	s := newServer(t)
	p := s.pool()
	acquire(t, p).Release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := p.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 1, p.Stats().Acquires)
	s.end(p)
}

func TestOrders(t *testing.T) {
	for order, want := range map[connpool.Order][]int{connpool.LIFO: {2, 4, 1, 3}, connpool.FIFO: {3, 1, 4, 2}} {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.Order = order })
		conns := map[int]connpool.Conn[*fake]{}
		for range 4 {
			c := acquire(t, p)
			conns[c.Value().id] = c
		}
		for _, id := range []int{3, 1, 4, 2} {
			conns[id].Release()
		}
		var got []int
		for range 4 {
			c := acquire(t, p)
			got = append(got, c.Value().id)
			defer c.Release()
		}
		require.Equal(t, want, got, "order %d", order)
	}
}

func TestDialKeepsTheValuesOfTheCtx(t *testing.T) {
	type key struct{}
	s := newServer(t)
	s.onDial = func(ctx context.Context, _ int) error {
		if ctx.Value(key{}) != "trace" {
			t.Error("value is lost")
		}
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		return derived.Err()
	}
	p := s.pool()
	c, err := p.Acquire(context.WithValue(context.Background(), key{}, "trace"))
	require.NoError(t, err)
	c.Release()
	s.end(p)
}
