package workerpool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// A deadline that passes while the task is still queued: naive pools re-queue it,
// then drop it silently, or run it.
func TestDeadlinePassesInTheQueue(t *testing.T) {
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, TaskTimeout: time.Second})
				release := occupy(t, p, 1)
				never := func(context.Context) (int, error) { t.Error("ran"); return 0, nil }
				start := time.Now()
				results := make(chan error)
				go func() {
					results <- p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error { _, err := never(ctx); return err }})
				}()
				require.ErrorIs(t, <-results, workerpool.ErrTimeout)
				require.Equal(t, time.Second, time.Since(start), "Config.TaskTimeout")
				go func() {
					_, err := workerpool.Go(bg, p, never, workerpool.WithTimeout(5*time.Second)).Wait(bg)
					results <- err
				}()
				err := <-results
				require.ErrorIs(t, err, workerpool.ErrTimeout)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 6*time.Second, time.Since(start), "Timeout")
				go func() {
					g := p.Group(bg)
					g.Go(func(ctx context.Context) error { _, err := never(ctx); return err })
					results <- g.Wait()
				}()
				synctest.Wait()
				time.Sleep(2 * time.Second)
				release()
				require.ErrorIs(t, <-results, workerpool.ErrTimeout)
				st := closeAndCheck(t, p)
				require.EqualValues(t, 1, st.Completed)
				require.EqualValues(t, st.Submitted-1, st.Timeouts)
			})
		})
	}
}

// The timeout counts from submission; one that runs has its ctx ended, and Do
// waits for it.
func TestDeadlineOfARunningTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1})
		start := time.Now()
		ended := false
		err := p.Do(bg, workerpool.Task{Timeout: time.Second, Run: func(ctx context.Context) error {
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), workerpool.ErrTimeout)
			time.Sleep(time.Second)
			ended = true
			return ctx.Err()
		}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, ended)
		require.Equal(t, 2*time.Second, time.Since(start))
		st := closeAndCheck(t, p)
		require.EqualValues(t, 1, st.Failed)
		require.Zero(t, st.Timeouts)
	})
}

// A Timeout that has passed is what ended the task, also where the caller's ctx ends
// after it.
func TestTheFirstEndCounts(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1})
		ctx, cancel := context.WithTimeout(bg, 2*time.Second)
		defer cancel()
		task := func(context.Context) (int, error) { time.Sleep(3 * time.Second); return 0, nil }
		runs := workerpool.Go(ctx, p, task, workerpool.WithTimeout(time.Second))
		waits := workerpool.Go(ctx, p, task, workerpool.WithTimeout(time.Second))
		_, err := runs.Wait(bg)
		require.NoError(t, err)
		_, err = waits.Wait(bg)
		require.ErrorIs(t, err, workerpool.ErrQueueTimeout)

		ctx, cancel = context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = workerpool.Go(ctx, p, task, workerpool.WithTimeout(2*time.Second)).Wait(bg)
		require.NoError(t, err)
		st := closeAndCheck(t, p)
		require.EqualValues(t, 1, st.RunTimeouts, "the second one's ctx ended by itself")
		require.EqualValues(t, 1, st.Timeouts)
	})
}

// Do whose ctx ends while the task is queued returns at once; the task never runs.
func TestContextEndsInTheQueue(t *testing.T) {
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
			release := occupy(t, p, 1)
			ctx, cancel := context.WithCancelCause(bg)
			result := make(chan error)
			go func() {
				result <- p.Do(ctx, workerpool.Task{Run: func(context.Context) error { t.Error("ran"); return nil }})
			}()
			until(t, "queued or blocked", func() bool { st := p.Stats(); return st.Queued+int(st.Waits) > 0 })
			cancel(errBoom)
			require.ErrorIs(t, <-result, context.Canceled)
			release()
			st := closeAndCheck(t, p)
			require.EqualValues(t, st.Submitted-1, st.Canceled)
		})
	}
}

// A ctx that reaches the task is a real one: it ends, it has the caller's values.
func TestTaskContextIsDerived(t *testing.T) {
	watch(t)
	type key struct{}
	p := newPool(t, workerpool.Config{})
	ctx, cancel := context.WithCancelCause(context.WithValue(bg, key{}, 7))
	err := p.Do(ctx, workerpool.Task{Run: func(ctx context.Context) error {
		require.Equal(t, 7, ctx.Value(key{}))
		cancel(errBoom)
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	require.True(t, errors.Is(err, errBoom))
	closeAndCheck(t, p)
}
