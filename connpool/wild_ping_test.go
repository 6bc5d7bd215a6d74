package connpool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// pgx#2394: one hung ping blocks all who want a connection.
func TestHungPingBlocksNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.CheckAfterIdle, c.Tick, c.CheckTimeout = 3, time.Second, 100*ms, 5*time.Second
			c.Check = func(ctx context.Context, f *fake) error {
				if f.broken.Load() {
					<-ctx.Done() // a black hole
					return ctx.Err()
				}
				return nil
			}
		})
		a := acquire(t, p)
		a.Value().broken.Store(true)
		a.Release()
		time.Sleep(2 * time.Second)
		first := make(chan connpool.Conn[*fake], 1)
		go func() { first <- acquire(t, p) }() // hangs in the ping, or so it seems
		synctest.Wait()
		begin := time.Now()
		b := acquire(t, p)
		require.Zero(t, time.Since(begin), "another acquirer dials meanwhile")
		b.Release()
		(<-first).Release() // the one who waits for the ping gets it
		require.Zero(t, time.Since(begin))
		time.Sleep(10 * time.Second)
		s.end(p)
	})
}

// The same with nobody else about: who hangs in a ping alone gets a dial.
func TestHungPingDoesNotBlockALoneAcquirer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, reset := range []bool{false, true} {
			s := newServer(t)
			hang := func(ctx context.Context, _ *fake) error { <-ctx.Done(); return ctx.Err() }
			p := s.pool(func(c *connpool.Config[*fake]) {
				if reset {
					c.Reset = hang
				} else {
					c.Check, c.CheckAfterIdle = hang, -1
				}
			})
			acquire(t, p).Release()
			begin := time.Now()
			c := acquire(t, p)
			require.Equal(t, connpool.ClaimTime, time.Since(begin))
			c.Destroy(nil)
			s.end(p)
		}
	})
}

// A connection that is in its Reset is worth waiting for: a program that uses one
// connection at a time opens one.
func TestResetIsWaitedForRatherThanDialed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 10 * ms
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Reset = func(ctx context.Context, _ *fake) error { return sleep(ctx, ms) }
		})
		for range 10 {
			acquire(t, p).Release()
		}
		require.Equal(t, 1, s.n(&s.dials))
		s.end(p)
	})
}

// A connection whose ping fails is dropped, and its slot with it.
func TestFailedPingGivesItsSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.Check, c.CheckAfterIdle = 2, s.check, -1 })
		a, b := acquire(t, p), acquire(t, p)
		a.Value().broken.Store(true)
		b.Value().broken.Store(true)
		a.Release()
		b.Release()
		a, b = acquire(t, p), acquire(t, p)
		require.Equal(t, 2, p.Stats().Open)
		require.EqualValues(t, 2, p.Stats().CheckFailures)
		a.Release()
		b.Release()
		s.end(p)
		require.Equal(t, 2, s.n(&s.peak))
	})
}

// vitess#20080: the refresh of idle connections takes all of them at once.
func TestKeepAliveLeavesCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.checkTime = 5 * time.Second // nearly hangs
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.Check, c.CheckTimeout = 8, s.check, 10*time.Second
			c.CheckAfterIdle, c.KeepAlive, c.Tick = time.Hour, time.Second, 100*ms
		})
		require.NoError(t, p.Warm(t.Context(), 8))
		time.Sleep(1500 * ms)
		st := p.Stats()
		require.Equal(t, 2, st.Busy, "a quarter at most")
		begin := time.Now()
		var held []connpool.Conn[*fake]
		for range 6 {
			held = append(held, acquire(t, p))
		}
		require.Zero(t, time.Since(begin), "the others are there at once")
		for _, c := range held {
			c.Release()
		}
		s.end(p)
	})
}
