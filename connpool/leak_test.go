package connpool_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestLeakIsReportedOnceWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		var leaks []connpool.Info
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.LeakAfter, c.LeakStacks, c.Tick = 10*time.Second, connpool.SampleAll, time.Second
			c.OnLeaked = func(_ *fake, i connpool.Info) { s.set(func() { leaks = append(leaks, i) }) }
		})
		seen := func() []connpool.Info { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(leaks) }
		c := acquire(t, p)
		time.Sleep(9 * time.Second)
		require.Empty(t, seen())
		time.Sleep(30 * time.Second)
		require.Len(t, seen(), 1)
		require.True(t, seen()[0].Leaked)
		require.Contains(t, seen()[0].Stack, "TestLeakIsReportedOnceWithItsStack")
		require.Contains(t, p.Conns()[0].Stack, "leak_test.go")
		require.GreaterOrEqual(t, seen()[0].Held, 10*time.Second)
		c.Release()
		c = acquire(t, p)
		time.Sleep(30 * time.Second)
		require.Len(t, seen(), 2, "another loan")
		c.Release()
		require.EqualValues(t, 2, p.Stats().Leaked)
		s.end(p)
	})
}

func TestShortLoansAreNoLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.LeakAfter, c.Tick = 2*time.Second, time.Second })
		for range 50 {
			c := acquire(t, p)
			time.Sleep(1900 * ms)
			c.Release() // and lent again at once: the word differs
		}
		require.Zero(t, p.Stats().Leaked)
		s.end(p)
	})
}

func TestLeakStacksSampling(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.LeakStacks = 3 })
	for i := range 9 {
		c := acquire(t, p)
		require.Equal(t, i%3 == 0, c.Info().Stack != "", "loan %d", i)
		c.Release()
	}
	s.end(p)
}
