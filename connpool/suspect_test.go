package connpool_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// failover gives a pool of n connections in steady use, and then drops them all at
// the server's side. It returns how many calls failed of the 200 after that.
func failover(t *testing.T, n int, broken func(*connpool.Pool[*fake], connpool.Conn[*fake]), change func(*connpool.Config[*fake])) (failed int, p *connpool.Pool[*fake]) {
	s := newServer(t)
	p = s.pool(func(c *connpool.Config[*fake]) {
		c.MaxOpen, c.Order, c.Check = n, connpool.FIFO, s.check // FIFO: all are in use all the time
		if change != nil {
			change(c)
		}
	})
	require.NoError(t, p.Warm(t.Context(), n))
	for i := range 400 {
		if i == 200 {
			s.set(func() {
				for f := range s.conns {
					f.broken.Store(true)
				}
			})
		}
		if broken == nil {
			err := p.Do(t.Context(), func(_ context.Context, f *fake) error {
				if f.broken.Load() {
					return fmt.Errorf("%w: dropped", connpool.ErrBadConn)
				}
				return nil
			})
			if err != nil {
				failed++
			}
		} else if c := acquire(t, p); c.Value().broken.Load() {
			failed++
			broken(p, c)
		} else {
			c.Release()
		}
		time.Sleep(ms) // real time: in a bubble
	}
	s.end(p)
	return failed, p
}

func TestABrokenLoanMakesTheOthersSuspect(t *testing.T) {
	for name, broken := range map[string]func(*connpool.Pool[*fake], connpool.Conn[*fake]){
		"Do":      nil,
		"Destroy": func(_ *connpool.Pool[*fake], c connpool.Conn[*fake]) { c.Destroy(errDown) },
	} {
		synctest.Test(t, func(t *testing.T) {
			failed, p := failover(t, 20, broken, nil)
			require.Equal(t, 1, failed, name)
			require.EqualValues(t, 19, p.Stats().CheckFailures)
		})
	}
}

// Those on loan at that moment are checked after their return; one dialed later is not.
func TestSuspicionFollowsALoanHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, waiting := range []bool{false, true} {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.Check = 2, s.check })
			a, b := acquire(t, p), acquire(t, p)
			dead, old := a.Value(), b.Value()
			a.Destroy(nil)
			synctest.Wait()
			fresh := acquire(t, p)
			require.NotSame(t, dead, fresh.Value())
			young := fresh.Value()
			got := make(chan *fake, 1)
			if waiting {
				go func() {
					c := acquire(t, p)
					got <- c.Value()
					c.Release()
				}()
				synctest.Wait()
			}
			b.Release()
			if !waiting {
				c := acquire(t, p)
				got <- c.Value()
				c.Release()
			}
			require.Same(t, old, <-got)
			require.EqualValues(t, 1, old.checks.Load(), "checked before the next loan")
			fresh.Release()
			for range 4 {
				acquire(t, p).Release()
			}
			require.EqualValues(t, 1, old.checks.Load(), "once")
			require.Zero(t, young.checks.Load())
			s.end(p)
		}
	})
}

func TestWithoutACheckNobodyIsSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		a, b := acquire(t, p), acquire(t, p)
		a.Destroy(nil)
		b.Release()
		acquire(t, p).Release()
		require.Zero(t, p.Stats().Checks)
		s.end(p)
	})
}

func TestRetryBroken(t *testing.T) {
	for _, checked := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			failed, p := failover(t, 20, nil, func(c *connpool.Config[*fake]) {
				c.RetryBroken = true
				if !checked {
					c.Check = nil
				}
			})
			require.Zero(t, failed)
			require.EqualValues(t, 1, p.Stats().Retries)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.RetryBroken = true })
		runs := 0
		bad := func(context.Context, *fake) error { runs++; return connpool.ErrBadConn }
		require.ErrorIs(t, p.Do(t.Context(), bad), connpool.ErrBadConn)
		require.Equal(t, 1, runs, "a fresh one is not to blame")
		acquire(t, p).Release()
		require.ErrorIs(t, p.Do(t.Context(), bad), connpool.ErrBadConn)
		require.Equal(t, 3, runs, "once more, not for ever")
		acquire(t, p).Release()
		require.ErrorIs(t, p.Do(t.Context(), func(context.Context, *fake) error { runs++; return errDown }), errDown)
		require.Equal(t, 4, runs, "an error that is not the connection's")
		ctx, cancel := context.WithCancel(t.Context())
		require.ErrorIs(t, p.Do(ctx, func(context.Context, *fake) error { runs++; cancel(); return connpool.ErrBadConn }), connpool.ErrBadConn)
		require.Equal(t, 5, runs, "nobody waits for it")
		acquire(t, p).Release()
		s.set(func() { s.dialErr = errDown })
		err := p.Do(t.Context(), bad)
		require.ErrorIs(t, err, connpool.ErrBadConn)
		require.ErrorIs(t, err, errDown, "no other connection")
		require.Equal(t, 6, runs)
		s.end(p)

		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.Pool.RetryBroken = true })
		s.set(func() { s.dialErr = nil })
		use(t, k, "a")
		runs = 0
		require.NoError(t, k.Do(t.Context(), "a", func(context.Context, *fake) error {
			if runs++; runs == 1 {
				return connpool.ErrBadConn
			}
			return nil
		}))
		require.Equal(t, 2, runs)
		require.NoError(t, k.Close())
	})
}

// The process was frozen: the tick that comes late has all idle ones checked, also
// those that were in use at the tick before.
func TestALateTickMakesAllIdleConnsSuspect(t *testing.T) {
	for frozen, want := range map[time.Duration]int64{0: 0, 999 * ms: 0, time.Second: 1, 10 * time.Minute: 1} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) { c.Check, c.CheckAfterIdle, c.Tick = s.check, time.Second, 250*ms })
			var held []connpool.Conn[*fake]
			for range 4 {
				held = append(held, acquire(t, p))
			}
			time.Sleep(300 * ms)
			for _, c := range held {
				c.Release() // since the last tick
			}
			p.Freeze(frozen)
			time.Sleep(250 * ms)
			for i := range held {
				held[i] = acquire(t, p)
				require.Equal(t, want, held[i].Value().checks.Load(), "frozen for %v", frozen)
			}
			for _, c := range held {
				c.Release()
			}
			s.end(p)
		})
	}
}

func TestReleaseUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		resets := atomic.Int64{}
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.MaxUses, c.IdleTimeout, c.IdleJitter, c.Tick = 1, 2, 10*time.Second, -1, time.Second
			c.Reset = func(context.Context, *fake) error { resets.Add(1); return nil }
		})
		acquire(t, p).Release()
		synctest.Wait()
		for i := range 8 {
			time.Sleep(time.Second)
			all := p.AcquireAllIdle()
			require.Len(t, all, 1)
			if i%2 == 0 {
				time.Sleep(ms)
			}
			info := all[0].Info()
			require.EqualValues(t, 2, info.Uses, "this loan included")
			require.InDelta(t, time.Duration(i+1)*time.Second, info.Idle, float64(1100*ms), "how long it had been idle")
			all[0].ReleaseUnused()
			wantPanic(t, "ReleaseUnused", all[0].ReleaseUnused)
			require.EqualValues(t, 1, p.Conns()[0].Uses)
		}
		require.EqualValues(t, 1, resets.Load(), "none was needed")
		require.EqualValues(t, 8, p.Stats().Unused)
		require.Equal(t, 1, p.Stats().Idle)
		time.Sleep(4 * time.Second)
		require.EqualValues(t, 1, p.Stats().ClosedBy.IdleTime, "looking does not keep it")

		acquire(t, p).Release()
		acquire(t, p).ReleaseUnused()
		acquire(t, p).Release()
		synctest.Wait()
		require.EqualValues(t, 1, p.Stats().ClosedBy.MaxUses, "after two uses")
		wantPanic(t, "zero Conn", connpool.Conn[*fake]{}.ReleaseUnused)
		s.end(p)
	})
}

func TestReleaseUnusedServesWaitersAndTellsLongLoans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.IdleTimeout, c.IdleJitter, c.Tick = 1, 10*time.Second, -1, time.Second
		})
		c := acquire(t, p)
		got := make(chan struct{})
		go func() {
			acquire(t, p).Release()
			close(got)
		}()
		synctest.Wait()
		c.ReleaseUnused()
		<-got
		time.Sleep(5 * time.Second)
		c = acquire(t, p)
		time.Sleep(3 * time.Second) // ticks see the loan
		c.ReleaseUnused()
		time.Sleep(4 * time.Second)
		require.EqualValues(t, 1, p.Stats().ClosedBy.IdleTime, "idle since before the loan")
		s.end(p)
	})
}

func TestMinOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.MinOpen, c.MinIdle, c.IdleTimeout, c.Tick = 8, 4, 1, time.Second, 100*ms
		})
		synctest.Wait()
		require.Equal(t, 4, p.Stats().Open)
		var held []connpool.Conn[*fake]
		for range 4 {
			held = append(held, acquire(t, p))
		}
		time.Sleep(101 * ms)
		require.Equal(t, 5, p.Stats().Open, "MinIdle beside")
		for _, c := range held {
			c.Release()
		}
		time.Sleep(time.Minute)
		require.Equal(t, 4, p.Stats().Open, "idle ones are closed down to MinOpen")
		acquire(t, p).Destroy(nil)
		time.Sleep(101 * ms)
		require.Equal(t, 4, p.Stats().Open)
		s.end(p)
	})
}

// 100 connections of one burst do not close at once, nor in one moment.
func TestExpiryIsSpreadAndBounded(t *testing.T) {
	for limit, change := range map[string]func(*connpool.Config[*fake]){
		"idle":     func(c *connpool.Config[*fake]) { c.IdleTimeout = time.Minute },
		"lifetime": func(c *connpool.Config[*fake]) { c.MaxLifetime = time.Minute },
		"at once":  func(c *connpool.Config[*fake]) { c.IdleTimeout, c.IdleJitter = time.Minute, -1 },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.closeTime = 150 * ms
			p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 100; change(c) })
			require.NoError(t, p.Warm(t.Context(), 100))
			peak, ticks := 0, 0
			for range 800 {
				time.Sleep(99 * ms)
				if n := p.Stats().Closing; n > 0 {
					peak, ticks = max(peak, n), ticks+1
				}
			}
			require.LessOrEqual(t, peak, 12, limit)
			require.GreaterOrEqual(t, ticks, 5, limit)
			require.Zero(t, p.Stats().Open, limit)
			s.end(p)
		})
	}
}

func TestWaitsAndLoansAreTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		c := acquire(t, p)
		for range 200 {
			time.AfterFunc(3*ms, c.Release)
			c = acquire(t, p)
		}
		time.Sleep(ms)
		c.Release()
		st := p.Stats()
		require.Equal(t, 600*ms, st.WaitTotal, "exact")
		require.EqualValues(t, 64+(201-64)/8*8+8-8, st.WaitTime.Count-st.WaitTime.Count%8, "sampled")
		require.EqualValues(t, 1, st.UseTime.Count)
		require.Equal(t, 3*ms, st.UseTime.Max)
		for range 1000 { // uncontended ones too
			c := acquire(t, p)
			time.Sleep(2 * ms)
			c.Release()
		}
		st = p.Stats()
		require.EqualValues(t, 1+4*256, st.UseTime.Count)
		require.InDelta(t, 2*ms, st.UseTime.P50, float64(ms/10))
		acquire(t, p).Destroy(nil)
		acquire(t, p).Hijack()
		s.set(func() { s.slots--; clear(s.conns) })
		require.EqualValues(t, 2+4*256, p.Stats().UseTime.Count, "a loan ends by Hijack, too")
		s.end(p)
	})
}
