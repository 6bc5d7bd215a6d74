package observe_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// A source that panics, or ends the goroutine it runs on, spoils nothing.
func TestASourceThatPanics(t *testing.T) {
	for what, does := range map[string]func(){
		"panic":  func() { panic("ouch") },
		"nil":    func() { panic(error(nil)) },
		"Goexit": runtime.Goexit,
	} {
		t.Run(what, func(t *testing.T) {
			var r observe.Registry
			add(t, &r, "1", &job{stats: jobStats{Done: 1}})
			add(t, &r, "2", &job{does: does})
			add(t, &r, "3", &job{stats: jobStats{Done: 3}})
			for n := range uint64(3) {
				out := text(t, &r)
				require.Contains(t, out, `done_total{name="1"} 1`)
				require.Contains(t, out, `done_total{name="3"} 3`)
				require.NotContains(t, out, `name="2"`)
				require.Equal(t, n+1, r.Stats().Panics)
			}
			require.ErrorIs(t, errs(t, &r)["poundlock_observe_test_job/2"], observe.ErrPanic)
			require.Zero(t, r.Stats().Timeouts)
		})
	}
}

// A source that blocks costs the reading one Timeout, once, and one goroutine.
func TestASourceThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := observe.Registry{Timeout: time.Second}
		var calls atomic.Int32
		stuck := &job{block: make(chan struct{})}
		stuck.does = func() { calls.Add(1) }
		add(t, &r, "1", &job{stats: jobStats{Done: 1}})
		add(t, &r, "2", stuck)
		add(t, &r, "3", &job{stats: jobStats{Done: 3}})
		for range 3 {
			out := text(t, &r)
			require.Contains(t, out, `done_total{name="1"} 1`)
			require.Contains(t, out, `done_total{name="3"} 3`)
			require.NotContains(t, out, `name="2"`)
			require.Contains(t, out, `poundlock_registry_stuck{name="registry"} 1`)
			require.Contains(t, out, `poundlock_registry_timeouts_total{name="registry"} 1`)
		}
		require.EqualValues(t, 1, calls.Load(), "it is not asked again while it has not answered")
		require.ErrorIs(t, errs(t, &r)["poundlock_observe_test_job/2"], observe.ErrTimeout)
		close(stuck.block)
		synctest.Wait()
		require.NoError(t, errs(t, &r)["poundlock_observe_test_job/2"], "it is back")
		require.Zero(t, r.Stats().Stuck)
	})
}

// The answer that comes too late must not end up in what is read meanwhile.
func TestALateAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := observe.Registry{Timeout: time.Second}
		slow := &job{stats: jobStats{Done: 5}}
		slow.does = func() { time.Sleep(1500 * time.Millisecond) }
		add(t, &r, "1", slow)
		add(t, &r, "2", &job{stats: jobStats{Done: 9}})
		for range 4 {
			for rd := range r.All(t.Context()) {
				if rd.Name == "2" {
					time.Sleep(time.Second) // the late answer comes while this one is looked at
					require.NoError(t, rd.Err)
					require.EqualValues(t, 9, rd.Values[0].Number)
				}
			}
			time.Sleep(5 * time.Second)
		}
		require.EqualValues(t, 4, r.Stats().Timeouts)
	})
}

func TestTheContextOfAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := observe.Registry{Timeout: time.Hour}
		add(t, &r, "1", new(tiny))
		stuck := &job{block: make(chan struct{})}
		add(t, &r, "2", stuck)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var b strings.Builder
		start := time.Now()
		require.ErrorIs(t, r.WriteText(ctx, &b), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Zero(t, r.Stats().Timeouts, "the source had time left")
		b.Reset()
		require.ErrorIs(t, r.WriteJSON(ctx, &b), context.DeadlineExceeded)
		require.Equal(t, "{}\n", b.String(), "a ctx that has ended wins")
		cause := errors.New("cause")
		ended, end := context.WithCancelCause(t.Context())
		end(cause)
		require.ErrorIs(t, r.WriteText(ended, io.Discard), cause)
		close(stuck.block)
	})
	var none context.Context
	require.PanicsWithValue(t, "observe: nil Context", func() { new(observe.Registry).All(none) })
}

func TestAReadingMayEndEarlyAndNest(t *testing.T) {
	var r observe.Registry
	add(t, &r, "1", &tiny{1})
	add(t, &r, "2", &tiny{2})
	n := 0
	for outer := range r.All(t.Context()) {
		for inner := range r.All(t.Context()) {
			n++
			_ = inner
			break
		}
		require.EqualValues(t, 1, outer.Values[0].Number)
		break
	}
	require.Equal(t, 1, n)
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestAWriterThatFails(t *testing.T) {
	var r observe.Registry
	add(t, &r, "1", new(tiny))
	require.ErrorIs(t, r.WriteText(t.Context(), brokenWriter{}), errBroken)
	require.ErrorIs(t, r.WriteOpenMetrics(t.Context(), brokenWriter{}), errBroken)
	require.ErrorIs(t, r.WriteJSON(t.Context(), brokenWriter{}), errBroken)
	require.Contains(t, text(t, &r), `name="1"`, "and the next is whole")
}
