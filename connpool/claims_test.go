package connpool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// A Pause in which several resets end: nobody relies on them after the Resume.
func TestResumeTakesBackEveryClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; n <= 4; n++ {
			s := newServer(t)
			p := s.pool(func(c *connpool.Config[*fake]) {
				c.Reset = func(ctx context.Context, _ *fake) error { _ = sleep(ctx, ms); return errDown }
			})
			var held []connpool.Conn[*fake]
			for range 4 {
				held = append(held, acquire(t, p))
			}
			got := make(chan connpool.Conn[*fake], 4)
			for range n {
				go func() { got <- acquire(t, p) }()
			}
			synctest.Wait()
			for _, c := range held {
				c.Release() // into resets that fail, on which the waiters rely
			}
			p.Pause()
			time.Sleep(2 * ms)
			require.NoError(t, p.Validate(), "while it is paused, too")
			begin := time.Now()
			p.Resume()
			require.NoError(t, p.Validate())
			for range n {
				(<-got).Destroy(nil)
			}
			require.Zero(t, time.Since(begin), "%d waiters", n)
			s.end(p)
		}
	})
}

func TestWarmEndsWhenAResizeMakesItImpossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = time.Second
		p := s.pool()
		errs := make(chan error, 2)
		go func() { errs <- p.Warm(t.Context(), 4) }()
		go func() { errs <- p.Warm(t.Context(), 2) }()
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, p.Resize(2))
		require.ErrorContains(t, <-errs, "Warm(4) exceeds the limit of 2")
		require.Zero(t, time.Since(begin))
		require.NoError(t, <-errs)
		s.end(p)

		s = newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal, c.Pool.MaxOpen = 2, 9 })
		require.ErrorContains(t, k.Warm(t.Context(), "a", 3), "exceeds the limit of 2")
		require.NoError(t, k.Warm(t.Context(), "a", 2))
		s.endKeyed(k)
	})
}
