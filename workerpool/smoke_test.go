package workerpool_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestSmoke(t *testing.T) {
	for _, qs := range []int{0, 1, 2, 3, 7, workerpool.NoQueue, workerpool.Unbounded} {
		p, err := workerpool.New(workerpool.Config{MaxWorkers: 4, QueueSize: qs})
		require.NoError(t, err)
		var n atomic.Int64
		for range 10000 {
			require.NoError(t, p.Submit(func() { n.Add(1) }))
		}
		require.NoError(t, p.Wait(context.Background()))
		require.EqualValues(t, 10000, n.Load())
		require.NoError(t, p.Close())
		st := p.Stats()
		require.EqualValues(t, 10000, st.Completed, "%+v", st)
		checkBooks(t, st)
		require.EqualValues(t, 0, st.Workers)
	}
}
