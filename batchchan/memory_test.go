package batchchan_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/internal/heaptest"
)

// What statistics cost is bounded by what they have seen: a batcher of
// batches of 16 that processed one.
func TestOneThatWasUsedOnceIsSmall(t *testing.T) {
	const n = 200
	var kept [n]interface{ Close() error }
	per := heaptest.Growth(n, func(i int) { kept[i] = usedOnce(t) })
	t.Logf("%d bytes", per)
	for _, k := range kept {
		require.NoError(t, k.Close())
	}
	require.LessOrEqual(t, per, int64(6<<10))
}

func usedOnce(t *testing.T) interface{ Close() error } {
	b := batchchan.Must(batchchan.New(batchchan.Config[int]{MaxBatch: 16, MaxPending: 64}, func(context.Context, []int) error { return nil }))
	require.NoError(t, b.Send(context.Background(), 1))
	require.NoError(t, b.Flush(context.Background()))
	require.Eventually(t, func() bool { return b.Stats().Processing.Count == 1 }, 10*time.Second, time.Microsecond) // real time: the scheduler
	return b
}
