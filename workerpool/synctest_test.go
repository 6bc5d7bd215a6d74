package workerpool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestIdleShrinkTimes(t *testing.T) {
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.Config{MinWorkers: 1, MaxWorkers: 6, QueueSize: size, IdleTimeout: 10 * time.Second})
				occupy(t, p, 6)()
				synctest.Wait()
				require.Equal(t, 6, p.Stats().Workers)
				time.Sleep(9 * time.Second)
				synctest.Wait()
				require.Equal(t, 6, p.Stats().Workers, "not before IdleTimeout")
				time.Sleep(11*time.Second + 1)
				synctest.Wait()
				require.Equal(t, 1, p.Stats().Workers, "down to MinWorkers within two periods")
				time.Sleep(time.Hour)
				require.Equal(t, 1, p.Stats().Workers, "Min kept")
				// A worker in use all the time stays; the others go.
				occupy(t, p, 3)()
				for range 100 {
					time.Sleep(time.Second)
					require.NoError(t, p.Submit(func() {}))
				}
				synctest.Wait()
				require.Equal(t, 1, p.Stats().Workers)
				closeAndCheck(t, p)
			})
		})
	}
}

// naive: an idle-expired worker leaves its channel registered and the dispatcher
// blocks on it for ever: 111 accepted, 10 ran.
func TestSubmitAtTheMomentOfIdleExpiry(t *testing.T) {
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.Config{MaxWorkers: 10, QueueSize: size, IdleTimeout: time.Second})
				for range 50 {
					for range 30 {
						require.NoError(t, p.Submit(func() { time.Sleep(time.Millisecond) }))
					}
					time.Sleep(time.Second) // ties with the shrink timer
				}
				require.NoError(t, p.Wait(bg))
				require.EqualValues(t, 1500, closeAndCheck(t, p).Completed)
			})
		})
	}
}

func TestIdleTimeoutNegativeKeepsWorkers(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{MaxWorkers: 3, IdleTimeout: -1, Spin: -1})
		occupy(t, p, 3)()
		time.Sleep(1000 * time.Hour)
		require.Equal(t, 3, p.Stats().Workers)
		closeAndCheck(t, p)
	})
}

// Everything a pool does, in a bubble: all its waits are durable, so time moves
// on, and the bubble ends.
func TestABubbleOfEverything(t *testing.T) {
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size, Monitor: &workerpool.Monitor{StallAfter: time.Second}})
				g := p.Group(bg, workerpool.Limit(3))
				for range 20 {
					g.Go(func(ctx context.Context) error {
						time.Sleep(time.Second)
						return p.Do(ctx, workerpool.Task{Run: func(context.Context) error { time.Sleep(time.Second); return nil }})
					})
				}
				require.NoError(t, g.Wait())
				for range 10 {
					go func() {
						if err := p.Submit(func() { time.Sleep(time.Second) }); err != nil {
							t.Error(err)
						}
					}()
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
				defer cancel()
				require.ErrorIs(t, p.Pause(ctx), context.DeadlineExceeded)
				require.NoError(t, p.Pause(bg))
				time.Sleep(time.Minute)
				p.Resume()
				synctest.Wait()
				ctx, cancel = context.WithTimeout(bg, 100*time.Millisecond)
				defer cancel()
				require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded)
				require.NoError(t, p.Wait(bg))
				closeAndCheck(t, p)
			})
		})
	}
}

// Shutdown at its ctx's deadline, in virtual time.
func TestShutdownDeadlineInABubble(t *testing.T) {
	for _, size := range queueSizes {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
				require.NoError(t, p.Submit(func() { time.Sleep(time.Minute) }))
				if size != workerpool.NoQueue {
					require.NoError(t, p.Submit(func() { t.Error("ran") }))
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(bg, time.Second)
				defer cancel()
				var se *workerpool.ShutdownError
				require.ErrorAs(t, p.Shutdown(ctx), &se)
				require.ErrorIs(t, se, context.DeadlineExceeded)
				require.Equal(t, 1, se.Running)
				require.Equal(t, time.Second, time.Since(start))
				require.NoError(t, p.Close())
				require.Equal(t, time.Minute, time.Since(start))
				checkBooks(t, p.Stats())
			})
		})
	}
}
