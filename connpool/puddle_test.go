package connpool_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// What puddle v2's tests ask of a pool and the others here do not.

// TestPoolAcquireReusesResources, TestPoolAcquireCreatesResourceWhenNoneIdle.
func TestOneBorrowerAtATimeNeedsOneConn(t *testing.T) {
	s := newServer(t)
	p := s.pool()
	for range 100 {
		c := acquire(t, p)
		require.Equal(t, 1, c.Value().id)
		c.Release()
	}
	a, b := acquire(t, p), acquire(t, p)
	require.NotEqual(t, a.Value().id, b.Value().id)
	a.Release()
	b.Release()
	require.Equal(t, 2, s.n(&s.dials))
	s.end(p)
}

// TestPoolAcquireWithCancellableContext.
func TestWaiterWithACtxThatCouldEndIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := p.Acquire(ctx)
		require.NoError(t, err)
		time.AfterFunc(time.Second, c.Release)
		begin := time.Now()
		d, err := p.Acquire(ctx)
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(begin))
		require.Equal(t, 1, d.Value().id)
		d.Release()
		s.end(p)
	})
}

// TestPoolAcquireReturnsErrorFromFailedResourceCreate.
func TestFailedDialLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		p := s.pool()
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown)
		require.EqualError(t, err, "connpool: dial: server is down")
		require.Zero(t, p.Stats().Open)
		require.Zero(t, p.Stats().Acquires)
		s.end(p)
	})
}

// TestPoolAcquireNilContextDoesNotLeavePoolLocked: whatever the pool is doing.
func TestNilCtxPanicsAndLeavesThePoolUsable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		var none context.Context
		broken := func() { _, _ = p.Acquire(none) }
		require.Panics(t, broken, "nothing is open")
		c := acquire(t, p)
		require.Panics(t, broken, "everything is on loan")
		c.Release()
		require.Panics(t, broken, "one is idle")
		require.Panics(t, func() { _ = p.Do(none, func(context.Context, *fake) error { return nil }) })
		require.Panics(t, func() { _ = p.Warm(none, 1) })
		require.Panics(t, func() { _ = p.Shutdown(none) })
		p.Pause()
		require.Panics(t, broken, "paused")
		p.Resume()
		acquire(t, p).Release()
		s.end(p)
		require.Panics(t, broken, "closed")
	})
}

// TestPoolAcquireContextAlreadyCanceled.
func TestDoneCtxDialsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.Acquire(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, p.Do(ctx, nil), context.Canceled)
		require.ErrorIs(t, p.Warm(ctx, 1), context.Canceled)
		synctest.Wait()
		require.Zero(t, s.n(&s.dials))
		s.end(p)
	})
}

// TestPoolTryAcquireWithFailedResourceCreate.
func TestTryAcquireSurvivesAFailedDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		p := s.pool()
		for i := range 3 {
			_, err := p.TryAcquire()
			require.ErrorIs(t, err, connpool.ErrNotReady)
			synctest.Wait()
			require.Equal(t, i+1, s.n(&s.dials), "tried again with each call")
			require.Zero(t, p.Stats().Open)
		}
		s.set(func() { s.dialErr = nil })
		_, _ = p.TryAcquire()
		synctest.Wait()
		c, err := p.TryAcquire()
		require.NoError(t, err)
		c.Release()
		s.end(p)
	})
}

// TestPoolTryAcquireDestroysResourceConstructedAfterClose and ...BeforeReset, and
// the same of CreateResource: our Warm.
func TestDialBegunForNobodyIsNotKeptAcrossCloseOrReset(t *testing.T) {
	for try, name := range map[bool]string{true: "TryAcquire", false: "Warm"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				hold := make(chan struct{})
				s.onDial = func(context.Context, int) error { <-hold; return nil }
				p := s.pool()
				warm := make(chan error, 1)
				if try {
					_, err := p.TryAcquire()
					require.ErrorIs(t, err, connpool.ErrNotReady)
				} else {
					go func() { warm <- p.Warm(context.Background(), 1) }()
				}
				synctest.Wait()
				p.Reset()
				hold <- struct{}{}
				synctest.Wait()
				require.Equal(t, 1, s.n(&s.closes), "it was opened before the Reset")
				require.EqualValues(t, 1, p.Stats().ClosedBy.Reset)
				if try {
					_, err := p.TryAcquire()
					require.ErrorIs(t, err, connpool.ErrNotReady)
				}
				synctest.Wait() // Warm has begun another by itself
				require.Equal(t, 1, p.Stats().Dialing)
				closed := make(chan error, 1)
				go func() { closed <- p.Close() }()
				synctest.Wait()
				hold <- struct{}{} // it ignores its ctx, so Close must wait for it
				require.NoError(t, <-closed)
				require.EqualValues(t, 1, p.Stats().ClosedBy.Close)
				if !try {
					require.ErrorIs(t, <-warm, connpool.ErrClosed)
				}
				s.end(p)
			})
		})
	}
}

// TestSignalIsSentWhenResourceFailedToCreate.
func TestDestroyAndThenAFailedDialStrandNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.onDial = func(_ context.Context, n int) error {
			if n == 2 {
				return errDown
			}
			return nil
		}
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		c := acquire(t, p)
		errs := []chan error{make(chan error, 1), make(chan error, 1)}
		for _, errs := range errs {
			go func() {
				d, err := p.Acquire(t.Context())
				if err == nil {
					d.Destroy(nil)
				}
				errs <- err
			}()
			synctest.Wait()
		}
		c.Destroy(nil)
		require.ErrorIs(t, <-errs[0], errDown, "the first in the queue, for whom the dial was")
		require.NoError(t, <-errs[1])
		s.end(p)
	})
}

// TestStress_AcquireAllIdle_TryAcquire and ..._Acquire: with one connection, no
// two ways of taking it get it at once.
func TestAcquireAllIdleBesideTheOthersSharesNothing(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
	var wg sync.WaitGroup
	var all, try atomic.Int64
	var left atomic.Int64
	left.Store(int64(long(t, 20000)))
	wg.Go(func() {
		for left.Load() > 0 {
			conns := p.AcquireAllIdle()
			if len(conns) > 1 {
				t.Errorf("%d of 1", len(conns))
			}
			for _, c := range conns {
				all.Add(1)
				s.use(c, 0)
				c.Release()
			}
		}
	})
	wg.Go(func() {
		for left.Load() > 0 {
			if c, err := p.TryAcquire(); err == nil {
				try.Add(1)
				s.use(c, 0)
				c.Release()
			} else if err != connpool.ErrNotReady {
				t.Error(err)
			}
		}
	})
	n := left.Load()
	for left.Add(-1) >= 0 {
		c := acquire(t, p)
		s.use(c, 0)
		c.Release()
	}
	wg.Wait()
	require.EqualValues(t, n+all.Load()+try.Load(), p.Stats().Acquires)
	s.end(p)
}

// TestReleaseAfterAcquire: the next Acquire meets a Release by another goroutine
// at every moment of it.
func TestReleaseByAnotherGoroutineServesTheNextAcquire(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
	back := make(chan connpool.Conn[*fake], 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for c := range back {
			c.Release()
		}
	})
	for range long(t, 30000) {
		back <- acquire(t, p)
	}
	close(back)
	wg.Wait()
	s.end(p)
}
