package connpool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// What database/sql's tests ask of a pool and the others here do not.

// TestPoolExhaustOnCancel.
func TestCancelledWaitersDoNotExhaustThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 3 })
		held := []connpool.Conn[*fake]{acquire(t, p), acquire(t, p), acquire(t, p)}
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*ms, cancel)
			_, err := p.Acquire(ctx)
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Zero(t, p.Stats().Waiting)
		for _, c := range held {
			c.Release()
		}
		for i := range held {
			held[i] = acquire(t, p) // all three are there
		}
		for _, c := range held {
			c.Release()
		}
		require.Equal(t, 3, s.n(&s.dials))
		s.end(p)
	})
}

// TestMaxOpenConns: batches of slow work, then the limit goes down and up.
func TestBatchesOpenNoMoreThanTheMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 10 })
		for range 2 {
			begin := time.Now()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					c := acquire(t, p)
					s.use(c, 25*ms)
					c.Release()
				})
			}
			wg.Wait()
			require.LessOrEqual(t, time.Since(begin), 5*25*ms+ms, "all ten work all the time")
			require.Equal(t, 10, p.Stats().Idle)
		}
		require.Equal(t, 10, s.n(&s.dials))
		for _, n := range []int{5, 20} {
			require.NoError(t, p.Resize(n))
			synctest.Wait()
			require.Equal(t, 5, p.Stats().Idle)
			require.Equal(t, n, p.Stats().MaxOpen)
		}
		s.end(p)
	})
}

// TestPendingConnsAfterErr: six callers, two dials at a time, all fail.
func TestEveryCallerOfAServerThatIsDownGetsAnError(t *testing.T) {
	for _, maxIdle := range []int{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.dialErr, s.dialTime = errDown, ms
			p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxIdle = 2, maxIdle })
			begin := time.Now()
			errs := make(chan error, 6)
			for range 6 {
				go func() {
					_, err := p.Acquire(t.Context())
					errs <- err
				}()
			}
			for range 6 {
				require.ErrorIs(t, <-errs, errDown)
			}
			require.Equal(t, 3*ms, time.Since(begin), "a dial for each")
			require.Zero(t, p.Stats().Open)
			s.end(p)
		})
	}
}

// TestConnMaxLifetime: of two, only the elder has outlived it.
func TestLifetimeCountsFromEachConnsOwnBirth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxLifetime, c.LifetimeJitter, c.Tick = 10*time.Second, -1, 100*ms })
		a := acquire(t, p)
		time.Sleep(5 * time.Second)
		b := acquire(t, p)
		a.Release()
		b.Release()
		time.Sleep(6 * time.Second)
		require.Equal(t, 1, p.Stats().Idle)
		require.EqualValues(t, 1, p.Stats().ClosedBy.Lifetime)
		c := acquire(t, p)
		require.Equal(t, 2, c.Value().id, "the younger")
		c.Release()
		s.end(p)
	})
}

// TestConnExpiresFreshOutOfPool: somebody waits for a connection that turns out,
// at its return, to be too old, or fails its reset.
func TestConnThatExpiresAtItsReturnIsNotHandedOver(t *testing.T) {
	for _, ok := range []struct{ old, bad bool }{{false, false}, {true, false}, {false, true}} {
		t.Run(fmt.Sprintf("old=%t,bad=%t", ok.old, ok.bad), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				p := s.pool(func(c *connpool.Config[*fake]) {
					c.MaxOpen, c.MaxLifetime, c.LifetimeJitter, c.Tick = 1, 10*time.Second, -1, time.Second
					c.Reset = func(_ context.Context, f *fake) error {
						if f.broken.Load() {
							return errDown
						}
						return nil
					}
				})
				c := acquire(t, p)
				got := make(chan connpool.Conn[*fake], 1)
				go func() { got <- acquire(t, p) }()
				if ok.old {
					time.Sleep(12 * time.Second)
				}
				synctest.Wait()
				require.Equal(t, 1, p.Stats().Waiting)
				c.Value().broken.Store(ok.bad)
				c.Release()
				d := <-got
				want := 1
				if ok.old || ok.bad {
					want = 2
				}
				require.Equal(t, want, d.Value().id)
				d.Release()
				s.end(p)
				require.Equal(t, 1, s.n(&s.peak))
			})
		})
	}
}

// TestManyErrBadConn: all that are idle broke at once; one call gets through.
func TestOneAcquireOutlastsAnyNumberOfBrokenIdleConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.Check, c.CheckAfterIdle = 20, s.check, -1 })
		require.NoError(t, p.Warm(t.Context(), 20))
		s.set(func() {
			for f := range s.conns {
				f.broken.Store(true)
			}
		})
		for _, c := range p.AcquireAllIdle() {
			c.Release() // needs a check from now on
		}
		c := acquire(t, p)
		require.False(t, c.Value().broken.Load())
		c.Release()
		s.end(p)
	})
}

// TestConnectionLeak: what a dial brings when nobody waits any more and enough are
// idle is closed, not forgotten.
func TestLateDialBeyondMaxIdleIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxIdle = 3, 2 })
		a, b := acquire(t, p), acquire(t, p)
		hold := make(chan struct{})
		s.set(func() { s.onDial = func(context.Context, int) error { <-hold; return nil } })
		done := make(chan struct{})
		go func() {
			defer close(done)
			acquire(t, p).Release() // asks for a dial, is served by a return
		}()
		synctest.Wait()
		a.Release()
		b.Release()
		<-done
		require.Equal(t, 2, p.Stats().Idle)
		close(hold)
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Idle)
		require.EqualValues(t, 1, p.Stats().ClosedBy.MaxIdle)
		s.end(p)
	})
}

// TestStatsMaxIdleClosedZero, ...Ten; TestSingleOpenConn.
func TestMaxIdleClosesAreCounted(t *testing.T) {
	for maxIdle, want := range map[int]uint64{1: 0, -1: 10} {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.MaxIdle = 1, maxIdle })
		for range 10 {
			acquire(t, p).Release()
		}
		require.Equal(t, want, p.Stats().ClosedBy.MaxIdle, "MaxIdle %d", maxIdle)
		s.end(p)
	}
}

// TestMaxIdleTime: five were used, two are used again, three expire.
func TestIdleTimeClosesOnlyWhatWasNotUsedAgain(t *testing.T) {
	for _, order := range []connpool.Order{connpool.Affinity, connpool.LIFO} { // FIFO uses all in turn
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) {
				c.MaxOpen, c.IdleTimeout, c.Tick, c.Order = 5, time.Second, 100*ms, order
			})
			use := func(n int) {
				var held []connpool.Conn[*fake]
				for range n {
					held = append(held, acquire(t, p))
				}
				for i := range held {
					held[len(held)-1-i].Release()
				}
			}
			use(5)
			for range 10 {
				time.Sleep(300 * ms)
				use(2)
			}
			require.Equal(t, 2, p.Stats().Idle, "order %d", order)
			require.EqualValues(t, 3, p.Stats().ClosedBy.IdleTime)
			require.Equal(t, 5, s.n(&s.dials))
			s.end(p)
		})
	}
}

// TestTxContextWait, ...NoDiscard: a ctx that ends in the middle of a use leaves a
// stream in an unknown state, unless the user knows better.
func TestCtxEndInDoClosesTheConnUnlessBadSaysNo(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) {
				if known {
					c.Bad = func(err error) bool { return !errors.Is(err, context.DeadlineExceeded) }
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 15*ms)
			defer cancel()
			err := p.Do(ctx, func(ctx context.Context, _ *fake) error { return sleep(ctx, time.Minute) })
			require.ErrorIs(t, err, context.DeadlineExceeded)
			synctest.Wait()
			if known {
				require.Equal(t, 1, p.Stats().Idle)
			} else {
				require.Zero(t, p.Stats().Open)
			}
			s.end(p)
		})
	}
}
