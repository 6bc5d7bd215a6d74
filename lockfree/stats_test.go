package lockfree_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/lockfree"
)

func TestStatsReadable(t *testing.T) {
	q := lockfree.Must(lockfree.NewBounded[int](2, lockfree.WithName("jobs"), lockfree.WithRings(16, 16)))
	require.Equal(t, "jobs: 0 of 2 values, at most 0; 0 in, 0 out", q.Stats().String())
	for i := range 3 {
		_, err := q.EnqueueDropOldest(i)
		require.NoError(t, err)
	}
	q.TryDequeue()
	s := q.Stats()
	require.Equal(t, "jobs: 1 of 2 values, at most 2; 3 in, 1 out, 1 dropped", s.String())
	s = lockfree.Stats{Waits: 3, EnqueueLosses: 11_900, DequeueLosses: 100, Barred: 2}
	require.Equal(t, "0 values, at most 0; 0 in, 0 out; 3 waits; 12.0k races lost; 2 tickets barred", s.String())

	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("queue", "stats", q.Stats())
	require.Contains(t, log.String(), "stats.name=jobs stats.enqueued=3 stats.dequeued=1 stats.dropped=1")

	text, err := json.Marshal(lockfree.New[int](lockfree.WithName("a")).Stats())
	require.NoError(t, err)
	require.Contains(t, string(text), `"name":"a"`)
	require.Equal(t, "b", lockfree.NewMS[int](lockfree.WithName("b")).Stats().Name)
	text, err = json.Marshal(new(lockfree.Queue[int]).Stats())
	require.NoError(t, err)
	require.NotContains(t, string(text), "name")
}

// An ended ctx's own error and its cause are both in the error, wherever it ends.
func TestCauseOfAnEndedContext(t *testing.T) {
	why := errors.New("the client has left")
	full := lockfree.Must(lockfree.NewBounded[int](1))
	require.NoError(t, full.TryEnqueue(1))
	queue, ms := lockfree.New[int](), lockfree.NewMS[int]()
	for name, wait := range map[string]func(context.Context) error{
		"Queue.Dequeue":        func(ctx context.Context) error { _, err := queue.Dequeue(ctx); return err },
		"Queue.DequeueBatch":   func(ctx context.Context) error { _, err := queue.DequeueBatch(ctx, make([]int, 1)); return err },
		"MSQueue.Dequeue":      func(ctx context.Context) error { _, err := ms.Dequeue(ctx); return err },
		"Bounded.Enqueue":      func(ctx context.Context) error { return full.Enqueue(ctx, 2) },
		"Bounded.EnqueueBatch": func(ctx context.Context) error { _, err := full.EnqueueBatch(ctx, []int{2}); return err },
		"Queue.All": func(ctx context.Context) (last error) {
			for _, err := range queue.All(ctx) {
				last = err
			}
			return last
		},
	} {
		for _, late := range []time.Duration{0, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				if late == 0 {
					cancel(why)
				} else {
					time.AfterFunc(late, func() { cancel(why) })
				}
				// Queues of this bubble, for what waits parks in it.
				full = lockfree.Must(lockfree.NewBounded[int](1))
				require.NoError(t, full.TryEnqueue(1))
				queue, ms = lockfree.New[int](), lockfree.NewMS[int]()
				err := wait(ctx)
				require.ErrorIs(t, err, why, name)
				require.ErrorIs(t, err, context.Canceled, name)
			})
		}
	}
}

// All ends without an error when the queue is closed and drained, and goes on where a
// broken loop stopped.
func TestAll(t *testing.T) {
	q := lockfree.New[int]()
	_, err := q.EnqueueBatch([]int{1, 2, 3})
	require.NoError(t, err)
	require.NoError(t, q.Close())
	var got []int
	all := q.All(t.Context())
	for range 2 {
		for v, err := range all {
			require.NoError(t, err)
			got = append(got, v)
			if v == 1 {
				break
			}
		}
	}
	require.Equal(t, []int{1, 2, 3}, got)
}
