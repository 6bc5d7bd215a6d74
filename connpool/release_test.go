package connpool

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A connection goes idle at the moment at which a waiter, who has just looked for one,
// raises the gate: the releaser reads the gate again and serves the waiter.
func TestAReleaseServesAWaiterWhoCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Must(New(Config[int]{
			Dial:    func(context.Context) (int, error) { return 1, nil },
			Close:   func(int) error { return nil },
			MaxOpen: 1,
		}))
		c, err := p.Acquire(t.Context())
		require.NoError(t, err)
		c.Release() // the first loan is timed, so that its word has the mark
		c, err = p.Acquire(t.Context())
		require.NoError(t, err)
		got := make(chan Conn[int], 1)
		go func() {
			c, _ := p.Acquire(context.Background())
			got <- c
		}()
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Waiting)
		require.True(t, c.e.word.CompareAndSwap(c.word, c.word&^stateMask)) // Release, which saw the gate down
		require.NotZero(t, p.gate.Load()&gateSettle)
		p.settle() // as it does when it reads the gate again
		synctest.Wait()
		require.Zero(t, p.Stats().Waiting, "the releaser serves the waiter")
		c = <-got
		c.Release()
		require.NoError(t, p.Close())
	})
}
