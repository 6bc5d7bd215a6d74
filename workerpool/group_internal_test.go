package workerpool

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A Wait whose ctx has ended may look at the members when another Wait has returned and
// the group has begun anew: these are not to be ended.
func TestGroupExpiresNoMemberOfTheNextRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Must(New(Config{MaxWorkers: 1}))
		g := p.Group(context.Background())
		ctx := g.Context()
		require.NoError(t, g.Wait())
		gate, ran := make(chan struct{}), false
		g.Go(func(context.Context) error { <-gate; return nil })
		synctest.Wait()
		g.Go(func(context.Context) error { ran = true; return nil })
		g.expire(ctx)
		close(gate)
		require.NoError(t, g.Wait())
		require.True(t, ran)
		require.NoError(t, p.Close())
	})
}

// A group keeps none of its tasks, however they ended: it may be used for ever.
func TestGroupLetsGoOfItsTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Must(New(Config{MaxWorkers: 1, QueueSize: 1}))
		g := p.Group(context.Background())
		gate := make(chan struct{})
		g.Go(func(context.Context) error { <-gate; return nil })
		synctest.Wait()
		g.Go(func(context.Context) error { return nil }, WithTimeout(time.Second))
		require.ErrorIs(t, g.TryGo(func(context.Context) error { return nil }), ErrFull)
		g.Go(func(context.Context) error { return nil }, WithTimeout(2*time.Second))
		require.ErrorIs(t, g.TryGo(nil), ErrNilTask)
		close(gate)
		require.ErrorIs(t, g.Wait(), ErrQueueTimeout)
		require.Zero(t, g.members.Len())
		require.NoError(t, p.Close())
	})
}
