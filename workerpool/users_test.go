package workerpool_test

import (
	"bytes"
	"context"
	"log"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// TryGo and Group.TryGo do not wait: not for the queue, nor for the group's Limit.
func TestTryGo(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		if size == workerpool.Unbounded {
			return // never full
		}
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		v := p.Limit(1)
		one := func(context.Context) (int, error) { return 1, nil }
		fut, err := workerpool.TryGo(bg, p, one)
		require.NoError(t, err)
		n, err := fut.Wait(bg)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, p.Wait(bg))

		release := occupy(t, p, 1)
		for p.TrySubmit(func() {}) == nil {
		}
		fut, err = workerpool.TryGo(bg, p, one)
		require.ErrorIs(t, err, workerpool.ErrFull)
		require.Nil(t, fut)
		_, err = workerpool.TryGo(bg, p, one, workerpool.WithView(v))
		require.ErrorIs(t, err, workerpool.ErrFull)
		g := p.Group(bg)
		require.ErrorIs(t, g.TryGo(func(context.Context) error { return nil }), workerpool.ErrFull)
		require.NoError(t, g.Wait(), "a refusal is none of the group's errors")
		release()
		require.NoError(t, p.Wait(bg))

		g = p.Group(bg, workerpool.Limit(1))
		gate, open := newGate(t)
		require.NoError(t, g.TryGo(func(context.Context) error { <-gate; return errBoom }))
		require.ErrorIs(t, g.TryGo(func(context.Context) error { return nil }), workerpool.ErrFull)
		open()
		require.ErrorIs(t, g.Wait(), errBoom)
		require.NoError(t, p.Wait(bg), "without a queue, the worker is free a moment after its task's end")
		require.NoError(t, g.TryGo(func(context.Context) error { return nil }), "the slot is free again")
		require.NoError(t, g.Wait())
		ended, cancel := context.WithCancel(bg)
		cancel()
		_, err = workerpool.TryGo(ended, p, one)
		require.ErrorIs(t, err, context.Canceled)
		closeAndCheck(t, p)
		_, err = workerpool.TryGo(bg, p, one)
		require.ErrorIs(t, err, workerpool.ErrClosed)
		require.ErrorIs(t, g.TryGo(func(context.Context) error { return nil }), workerpool.ErrClosed)
		require.Zero(t, v.Stats().Running)
	})
}

// After Wait a group is as new, FailFast or not, unless the ctx it was given has ended.
func TestGroupIsUsedAgainAfterWait(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		ctx, cancel := context.WithCancel(bg)
		for _, opts := range [][]workerpool.GroupOption{nil, {workerpool.FailFast()}, {workerpool.Limit(1)}} {
			g := p.Group(ctx, opts...)
			for range 3 {
				during := g.Context()
				require.NoError(t, during.Err())
				ran := false
				g.Go(func(ctx context.Context) error { ran = true; return ctx.Err() })
				require.NoError(t, g.Wait())
				require.True(t, ran)
				require.Error(t, during.Err(), "Wait ends it")
				g.Go(func(context.Context) error { return errBoom })
				require.ErrorIs(t, g.Wait(), errBoom)
				require.ErrorIs(t, g.Wait(), errBoom, "again the same")
			}
		}
		g := p.Group(ctx)
		require.NoError(t, g.Wait())
		cancel()
		g.Go(func(context.Context) error { t.Error("ran"); return nil })
		require.ErrorIs(t, g.Wait(), context.Canceled)
		closeAndCheck(t, p)
	})
}

// Tasks are neither lost nor cancelled where Go meets Wait.
func TestGroupGoAgainstWait(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		g := p.Group(bg, workerpool.Limit(2))
		var ran, ended atomic.Int64
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for range scaled(500) {
					g.Go(func(ctx context.Context) error {
						ran.Add(1)
						if ctx.Err() != nil {
							ended.Add(1)
						}
						return nil
					})
				}
			})
			all.Go(func() {
				for range scaled(500) {
					if err := g.Wait(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		require.NoError(t, g.Wait())
		require.EqualValues(t, 3*scaled(500), ran.Load())
		require.Zero(t, ended.Load(), "a Wait ended the ctx of a running task")
		closeAndCheck(t, p)
	})
}

// A timeout in the queue and one of a running task are told apart, in the error and
// in the books; the end of a ctx that is not the task's own is neither.
func TestTimeoutsSayWhich(t *testing.T) {
	watch(t)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, MaxNested: 10})
		cause := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		err := p.Do(bg, workerpool.Task{Timeout: time.Second, Run: cause})
		require.ErrorIs(t, err, workerpool.ErrRunTimeout)
		require.NotErrorIs(t, err, workerpool.ErrQueueTimeout)
		require.ErrorIs(t, err, workerpool.ErrTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "workerpool: task timed out while it ran")

		release := occupy(t, p, 1)
		err = p.Do(bg, workerpool.Task{Timeout: time.Second, Run: cause})
		require.ErrorIs(t, err, workerpool.ErrQueueTimeout)
		require.NotErrorIs(t, err, workerpool.ErrRunTimeout)
		require.ErrorIs(t, err, workerpool.ErrTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "workerpool: task timed out in the queue")
		ctx, cancel := context.WithTimeoutCause(bg, time.Second, errBoom)
		defer cancel()
		err = p.Do(ctx, workerpool.Task{Timeout: time.Minute, Run: cause})
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, workerpool.ErrTimeout)
		release()
		require.NoError(t, p.Wait(bg))

		// A task whose submitter's own timeout passes does not blame itself.
		var inner error
		outer := p.Do(bg, workerpool.Task{Timeout: time.Second, Run: func(ctx context.Context) error {
			busy := workerpool.Go(bg, p, func(context.Context) (int, error) { time.Sleep(time.Minute); return 0, nil })
			_, inner = workerpool.Go(ctx, p, func(context.Context) (int, error) { t.Error("ran"); return 0, nil }, workerpool.WithTimeout(time.Hour)).Wait(bg)
			_, _ = busy.Wait(bg)
			return inner
		}})
		require.ErrorIs(t, inner, workerpool.ErrRunTimeout, "the outer task's")
		require.ErrorIs(t, outer, workerpool.ErrRunTimeout)
		st := closeAndCheck(t, p)
		require.EqualValues(t, 2, st.RunTimeouts)
		require.EqualValues(t, 3, st.Timeouts, "two deadlines of tasks, one of the caller")
	})
}

// Workers do not inherit the labels of whoever started them, one task's do not reach
// the next, and the pool's and the task's names are there.
func TestLabels(t *testing.T) {
	for _, name := range []string{"", "mail"} {
		eachQueue(t, func(t *testing.T, size int) {
			var p *workerpool.Pool
			pprof.Do(bg, pprof.Labels("caller", "x"), func(context.Context) {
				p = newPool(t, workerpool.Config{Name: name, MaxWorkers: 1, QueueSize: size})
				require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { return nil }}))
			})
			labels := func(of func(run func())) (l string) {
				of(func() { l = ownLabels(t) })
				return l
			}
			plain := func(run func()) {
				done := make(chan struct{})
				require.NoError(t, p.Submit(func() { defer close(done); run() }))
				<-done
			}
			clean := ""
			if name != "" {
				clean = `{"poundlock":"mail"}`
			}
			require.Equal(t, clean, labels(plain), "of the caller")
			leak := func() { pprof.SetGoroutineLabels(pprof.WithLabels(bg, pprof.Labels("left", "behind"))) }
			require.NoError(t, p.Pause(bg)) // so that one worker runs both without a sleep between
			done := make(chan struct{})
			go func() {
				defer close(done)
				require.NoError(t, p.Submit(leak))
				require.Equal(t, clean, labels(plain), "of the task before")
			}()
			p.Resume()
			<-done
			labelled := labels(func(run func()) {
				require.NoError(t, p.Do(bg, workerpool.Task{Label: "send", Run: func(context.Context) error { run(); return nil }}))
			})
			require.Contains(t, labelled, `"task":"send"`)
			if name != "" {
				require.Contains(t, labelled, `"poundlock":"mail"`)
			}
			require.Equal(t, clean, labels(plain), "after a labelled task")
			closeAndCheck(t, p)
		})
	}
}

// Panics that nobody handles do not flood the log.
func TestPanicsDoNotFloodTheLog(t *testing.T) {
	watch(t)
	var text bytes.Buffer
	was := log.Writer()
	log.SetOutput(&text)
	defer log.SetOutput(was)
	p := newPool(t, workerpool.Config{Name: "noisy", MaxWorkers: 1})
	for range 500 {
		require.NoError(t, p.Submit(func() { panicsHere("loud") }))
	}
	require.EqualValues(t, 500, closeAndCheck(t, p).Panics)
	require.Equal(t, 5, strings.Count(text.String(), `workerpool: "noisy": task panicked: loud`))
	require.Contains(t, text.String(), "panicsHere", "with its stack")
	require.Less(t, strings.Count(text.String(), "\n"), 300)
}

// A Shutdown whose ctx ends while a function of the Monitor runs says so.
func TestShutdownTellsOfARunningMonitor(t *testing.T) {
	watch(t)
	gate, open := newGate(t)
	in := make(chan struct{})
	once := sync.OnceFunc(func() { close(in) })
	p := newPool(t, workerpool.Config{MaxWorkers: 1, Monitor: &workerpool.Monitor{
		Interval: workerpool.MinInterval,
		OnSample: func(workerpool.Stats) { once(); <-gate },
	}})
	<-in
	ctx, cancel := context.WithCancel(bg)
	cancel()
	var se *workerpool.ShutdownError
	require.ErrorAs(t, p.Shutdown(ctx), &se)
	require.True(t, se.Monitor)
	require.ErrorIs(t, se, context.Canceled)
	require.Contains(t, se.Error(), "Monitor")
	open()
	require.NoError(t, p.Close())
}
