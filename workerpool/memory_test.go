package workerpool_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/heaptest"
	"github.com/poundlock/poundlock/workerpool"
)

// What statistics cost is bounded by what they have seen: a pool with a
// queue of 16 that ran one measured task.
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
	p := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 1, QueueSize: 16, Timing: workerpool.Every}))
	require.NoError(t, p.Do(context.Background(), workerpool.Task{Run: func(context.Context) error { return nil }}))
	require.Eventually(t, func() bool { return p.Stats().RunTime.Count == 1 }, 10*time.Second, time.Microsecond) // real time: the scheduler
	return p
}
