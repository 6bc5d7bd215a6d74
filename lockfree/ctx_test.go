package lockfree

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEndedContextGoesBeforeAValue(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, k := range kinds[int](0) {
		q := k.make()
		require.NoError(t, q.TryEnqueue(1))
		_, err := q.Dequeue(ctx)
		require.Equal(t, context.Canceled, err)
		_, err = q.DequeueBatch(ctx, make([]int, 1))
		require.Equal(t, context.Canceled, err)
		pairs := 0
		for v, err := range q.All(ctx) {
			require.Zero(t, v)
			require.Equal(t, context.Canceled, err)
			pairs++
		}
		require.Equal(t, 1, pairs, "the error comes once")
		require.Equal(t, 1, q.Len())
	}
	b := Must(NewBounded[int](1))
	require.Equal(t, context.Canceled, b.Enqueue(ctx, 1))
	_, err := b.EnqueueBatch(ctx, []int{1})
	require.Equal(t, context.Canceled, err)
	require.Zero(t, b.Len())
}
