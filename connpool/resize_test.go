package connpool_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 6 })
		var held []connpool.Conn[*fake]
		for range 6 {
			held = append(held, acquire(t, p))
		}
		for _, c := range held[:3] {
			c.Release()
		}
		require.NoError(t, p.Resize(2))
		synctest.Wait()
		require.Equal(t, 3, p.Stats().Open, "the idle ones at once")
		held[3].Release()
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Open)
		held[4].Release()
		require.Equal(t, 2, p.Stats().Open, "no more than needed")
		require.EqualValues(t, 4, p.Stats().ClosedBy.Resize)
		acquire(t, p).Release()
		held[5].Release()

		a, b := acquire(t, p), acquire(t, p)
		got := make(chan connpool.Conn[*fake], 3)
		for range 3 {
			go func() { got <- acquire(t, p) }()
		}
		synctest.Wait()
		require.NoError(t, p.Resize(5))
		for range 3 {
			(<-got).Release()
		}
		a.Release()
		b.Release()
		require.ErrorContains(t, p.Resize(0), "out of range")
		require.ErrorContains(t, p.Resize(-1), "out of range")
		s.end(p)
	})
}

func TestResizeWhileDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = 10 * ms
		p := s.pool()
		done := make(chan struct{}, 4)
		for range 4 {
			go func() {
				c := acquire(t, p)
				time.Sleep(ms)
				c.Release()
				done <- struct{}{}
			}()
		}
		time.Sleep(ms)
		require.NoError(t, p.Resize(1))
		for range 4 {
			<-done
		}
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Open)
		s.end(p)
	})
}

func TestEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool()
		require.NoError(t, p.Warm(t.Context(), 4))
		c := acquire(t, p)
		id := c.Info().ID
		require.Equal(t, 2, p.Evict(func(i connpool.Info) bool { return i.ID == id || i.ID == id%4+1 }))
		require.Zero(t, p.Evict(func(i connpool.Info) bool { return i.ID == id }), "marked already")
		synctest.Wait()
		require.Equal(t, 3, p.Stats().Open)
		c.Release()
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Open)
		require.Equal(t, 2, p.Evict(nil))
		synctest.Wait()
		require.EqualValues(t, 4, p.Stats().ClosedBy.Evict)
		s.end(p)
	})
}

func TestResetReplacesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 3 })
		require.NoError(t, p.Warm(t.Context(), 3))
		c := acquire(t, p)
		p.Reset()
		p.Reset()
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Open)
		c.Release()
		d := acquire(t, p)
		require.Equal(t, 4, d.Value().id)
		d.Release()
		require.EqualValues(t, 3, p.Stats().ClosedBy.Reset)
		s.end(p)
	})
}
