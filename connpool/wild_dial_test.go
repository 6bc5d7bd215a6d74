package connpool

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
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
