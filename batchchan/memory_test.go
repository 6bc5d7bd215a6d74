package batchchan_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// What statistics cost is bounded by what they have seen: a batcher of
// batches of 16 that processed one.
func TestOneThatWasUsedOnceIsSmall(t *testing.T) {
	const n = 200
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var kept [n]interface{ Close() error }
	before := heap()
	for i := range kept {
		kept[i] = usedOnce(t)
	}
	per := (heap() - before) / n
	t.Logf("%d bytes", per)
	for _, k := range kept {
		require.NoError(t, k.Close())
	}
	require.LessOrEqual(t, per, uint64(6<<10))
}

func usedOnce(t *testing.T) interface{ Close() error } {
	b := batchchan.Must(batchchan.New(batchchan.Config[int]{MaxBatch: 16, MaxPending: 64}, func(context.Context, []int) error { return nil }))
	require.NoError(t, b.Send(context.Background(), 1))
	require.NoError(t, b.Flush(context.Background()))
	require.Eventually(t, func() bool { return b.Stats().Processing.Count == 1 }, 10*time.Second, time.Microsecond) // real time: the scheduler
	return b
}
