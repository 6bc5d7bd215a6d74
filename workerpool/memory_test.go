package workerpool_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// What statistics cost is bounded by what they have seen: a pool with a
// queue of 16 that ran one measured task.
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
	p := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 1, QueueSize: 16, Timing: workerpool.Every}))
	require.NoError(t, p.Do(context.Background(), workerpool.Task{Run: func(context.Context) error { return nil }}))
	require.Eventually(t, func() bool { return p.Stats().RunTime.Count == 1 }, 10*time.Second, time.Microsecond) // real time: the scheduler
	return p
}
