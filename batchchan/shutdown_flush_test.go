package batchchan_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// A Shutdown that is cut short takes back a buffer of several small batches, all of
// which a later Flush must not wait for.
func TestFlushAfterAShutdownThatWasCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 10, Linger: -1}, func(context.Context, []int) error { <-gate; return nil }))
		n, err := b.SendMany(bg, make([]int, 600)) // a run, a full buffer behind it, and an open one
		require.NoError(t, err)
		require.Equal(t, 600, n)
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		cancel()
		rest, err := b.Shutdown(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, rest, 590)
		close(gate)
		<-b.Done()
		b.Validate(t, 0)
		require.ErrorIs(t, b.Flush(bg), batchchan.ErrClosed)
	})
}
