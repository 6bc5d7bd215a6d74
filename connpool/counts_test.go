package connpool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// The books, step by step, as puddle's TestPoolStat... ask.

// TestPoolStatResources.
func TestStatsFollowEveryStateOfAConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime, s.closeTime = 10*ms, 10*ms
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Reset = func(ctx context.Context, _ *fake) error { return sleep(ctx, 10*ms) }
		})
		gauges := func(want connpool.Stats) {
			t.Helper()
			synctest.Wait()
			st := p.Stats()
			got := connpool.Stats{Open: st.Open, Idle: st.Idle, InUse: st.InUse, Busy: st.Busy, Dialing: st.Dialing, Closing: st.Closing}
			require.Equal(t, want, got)
			require.Len(t, p.Conns(), st.Open-st.Dialing)
		}
		gauges(connpool.Stats{})
		got := make(chan connpool.Conn[*fake], 1)
		go func() { got <- acquire(t, p) }()
		gauges(connpool.Stats{Open: 1, Dialing: 1})
		c := <-got
		gauges(connpool.Stats{Open: 1, InUse: 1})
		c.Release()
		gauges(connpool.Stats{Open: 1, Busy: 1})
		time.Sleep(10 * ms)
		gauges(connpool.Stats{Open: 1, Idle: 1})
		acquire(t, p).Destroy(nil)
		gauges(connpool.Stats{Open: 1, Closing: 1})
		time.Sleep(10 * ms)
		gauges(connpool.Stats{})
		s.end(p)
	})
}

// TestPoolStatSuccessfulAcquireCounters.
func TestStatsCountHitsMissesAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 2 })
		counts := func(acquires, hits, misses, waited, handoffs uint64) {
			t.Helper()
			st := p.Stats()
			require.Equal(t, []uint64{acquires, hits, misses, waited, handoffs},
				[]uint64{st.Acquires, st.Hits, st.Misses, st.Waits, st.Handoffs})
		}
		counts(0, 0, 0, 0, 0)
		c := acquire(t, p)
		counts(1, 0, 1, 1, 0)
		c.Release()
		acquire(t, p).Release()
		counts(2, 1, 1, 1, 0)
		require.NoError(t, p.Warm(t.Context(), 2)) // TestPoolCreateResource: a warm one is a hit
		c = acquire(t, p)
		d := acquire(t, p)
		counts(4, 3, 1, 1, 0)
		time.AfterFunc(3*time.Second, c.Release)
		c = acquire(t, p)
		counts(5, 4, 1, 2, 1)
		require.EqualValues(t, 2, p.Stats().WaitTime.Count)
		require.Equal(t, 3*time.Second, p.Stats().WaitTime.Max)
		require.InDelta(t, 0.8, p.Stats().HitRate, 1e-9)
		require.InDelta(t, 1, p.Stats().Utilization, 1e-9)
		c.Release()
		d.Release()
		s.end(p)
	})
}

// TestPoolStatCanceledAcquireBeforeStart, ...DuringCreate, ...DuringWait.
func TestCanceledIsCountedWhereverTheCtxEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 50 * ms
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
		giveUp := func(after time.Duration) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			if after == 0 {
				cancel()
			}
			begin := time.Now()
			_, err := p.Acquire(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, after, time.Since(begin))
			var w *connpool.WaitError
			require.True(t, errors.As(err, &w))
			require.Equal(t, after, w.Waited)
		}
		giveUp(0)
		require.EqualValues(t, 1, p.Stats().Canceled)
		giveUp(10 * ms)
		require.Equal(t, 1, p.Stats().Dialing, "the dial goes on")
		require.EqualValues(t, 2, p.Stats().Canceled)
		c := acquire(t, p)
		giveUp(10 * ms)
		require.EqualValues(t, 3, p.Stats().Canceled)
		require.Zero(t, p.Stats().Timeouts)
		require.EqualValues(t, 1, p.Stats().Acquires)
		c.Release()
		s.end(p)
	})
}

// TestResourceLastUsageTimeTracking.
func TestInfoTellsAgeIdleAndHeldTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.LeakAfter, c.Tick = time.Hour, time.Second })
		c := acquire(t, p)
		time.Sleep(10 * time.Second)
		i := c.Info()
		require.Equal(t, connpool.Info{ID: 1, State: connpool.StateInUse, Age: 10 * time.Second, Uses: 1, Held: i.Held}, i)
		require.InDelta(t, 10*time.Second, i.Held, float64(time.Second))
		c.Release()
		time.Sleep(5 * time.Second)
		i = p.Conns()[0]
		require.Equal(t, connpool.Info{ID: 1, State: connpool.StateIdle, Age: 15 * time.Second, Uses: 1, Idle: i.Idle}, i)
		require.InDelta(t, 5*time.Second, i.Idle, float64(time.Second))
		c = acquire(t, p)
		require.Less(t, c.Info().Held, time.Second, "a new loan")
		c.Release()
		s.end(p)
	})
}
