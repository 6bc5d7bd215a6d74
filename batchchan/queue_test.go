package batchchan_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestQueueRecvWaitsForWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := batchchan.NewQueue(batchchan.Config[int]{MaxBatch: 3, Linger: time.Second})
		require.NoError(t, err)
		start := time.Now()
		_, err = q.TryRecv()
		require.ErrorIs(t, err, batchchan.ErrEmpty)
		go func() {
			for i := range 4 {
				require.NoError(t, q.Send(bg, i))
			}
		}()
		b, err := q.Recv(bg)
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 2}, b.Items)
		require.Equal(t, batchchan.BySize, b.Reason())
		require.Zero(t, time.Since(start))
		b.Release()
		b, err = q.Recv(bg)
		require.NoError(t, err)
		require.Equal(t, []int{3}, b.Items)
		require.Equal(t, batchchan.ByLinger, b.Reason())
		require.Equal(t, time.Second, b.Age())
		require.Equal(t, time.Second, time.Since(start))

		flushed := make(chan error, 1)
		go func() { flushed <- q.Flush(bg) }()
		synctest.Wait()
		require.Empty(t, flushed, "a batch that is not released is not processed")
		b.Release()
		require.NoError(t, <-flushed)

		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = q.Recv(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, q.Producer().Send(bg, 4))
		require.NoError(t, q.TrySend(5))
		require.NoError(t, q.SendTimeout(6, time.Second))
		n, err := q.SendMany(bg, []int{7, 8})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.NoError(t, q.Close())
		var got []int
		for b, err := range q.All(bg) {
			require.NoError(t, err)
			got = append(got, b.Items...)
		}
		require.ElementsMatch(t, []int{4, 5, 6, 7, 8}, got)
		<-q.Done()
		checkQuiet(t, q.Stats())
		_, err = batchchan.NewQueue(batchchan.Config[int]{Overflow: batchchan.CallerRuns})
		require.ErrorContains(t, err, "CallerRuns")
		_, err = batchchan.NewQueue(batchchan.Config[int]{MaxBatch: -1})
		require.ErrorContains(t, err, "MaxBatch")
	})
}

func TestQueueBatchesEndsWithContextAndBreak(t *testing.T) {
	q, err := batchchan.NewQueue(batchchan.Config[int]{MaxBatch: 1})
	require.NoError(t, err)
	_, err = q.SendMany(bg, upTo(3))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(bg)
	for b, err := range q.All(ctx) {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, b)
			break
		}
		b.Release() // by hand is allowed
		cancel()
	}
	for range q.All(bg) {
		break
	}
	require.EqualValues(t, 2, q.Stats().Succeeded)
	done, cancel := context.WithCancel(bg)
	cancel()
	back, err := q.Shutdown(done)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int{2}, back)
	<-q.Done()
}

func TestQueueCancelledReceiverPassesItsWakeUpOn(t *testing.T) {
	for range 300 {
		q, err := batchchan.NewQueue(batchchan.Config[int]{MaxBatch: 1})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(bg)
		var wg sync.WaitGroup
		var got atomic.Int32
		for i := range 2 {
			c := ctx
			if i == 1 {
				c = bg
			}
			wg.Go(func() {
				if b, err := q.Recv(c); err == nil {
					got.Add(1)
					b.Release()
				}
			})
		}
		wg.Go(cancel)
		require.NoError(t, q.Send(bg, 1))
		require.NoError(t, q.Send(bg, 2))
		wg.Wait()
		require.GreaterOrEqual(t, got.Load(), int32(1))
		q.Close()
	}
}
