package observe_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// A source that panics with nil is not read, also where recover says nothing of that.
func TestASourceThatPanicsWithNil(t *testing.T) {
	for _, debug := range []string{"panicnil=0", "panicnil=1"} {
		t.Run(debug, func(t *testing.T) {
			t.Setenv("GODEBUG", debug)
			var r observe.Registry
			add(t, &r, "1", &job{does: func() { panic(nil) }})
			require.ErrorIs(t, errs(t, &r)["poundlock_observe_test_job/1"], observe.ErrPanic)
			require.EqualValues(t, 1, r.Stats().Panics)
		})
	}
}

// badContext has a method that panics when it is called for the nth time.
type badContext struct {
	context.Context
	method string
	left   *int
}

func (c badContext) Done() <-chan struct{} { c.in("Done"); return c.Context.Done() }
func (c badContext) Err() error            { c.in("Err"); return c.Context.Err() }

func (c badContext) in(method string) {
	if method != c.method {
		return
	}
	if *c.left--; *c.left == 0 {
		panic("no " + method)
	}
}

// A reader whose ctx panics leaves nothing that the next reader shares with a source that
// has not answered: the race detector sees it.
func TestAContextThatPanics(t *testing.T) {
	for _, method := range []string{"Done", "Err"} {
		for nth := range 6 {
			t.Run(fmt.Sprint(method, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := observe.Registry{Timeout: time.Second}
					var slow sync.Once
					src := &job{does: func() { slow.Do(func() { time.Sleep(1500 * time.Millisecond) }) }}
					add(t, &r, "1", src)
					left := nth + 1
					func() {
						defer func() { _ = recover() }()
						_ = r.WriteText(badContext{t.Context(), method, &left}, io.Discard)
					}()
					for range 3 {
						_ = text(t, &r)
						time.Sleep(time.Second)
					}
					require.NoError(t, errs(t, &r)["poundlock_observe_test_job/1"])
					require.Zero(t, r.Stats().Stuck)
				})
			})
		}
	}
}

// badLog is a slog.Handler that panics.
type badLog struct{ slog.Handler }

func (badLog) Enabled(context.Context, slog.Level) bool  { return true }
func (badLog) Handle(context.Context, slog.Record) error { panic("no log") }

// A logger that panics when it is to log a panic does not end the watcher.
func TestALoggerThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := observe.NewWatcher(observe.WatcherConfig{
			Registry: new(observe.Registry), Logger: slog.New(badLog{}),
			Rules: []observe.Rule{{Name: "bad", When: func(*observe.Sample) string { panic("bad rule") }}},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, w.Run(ctx), context.DeadlineExceeded)
		s := w.Stats()
		require.EqualValues(t, 3, s.Samples)
		require.EqualValues(t, 6, s.Panics, "of the rule and of the logger")
	})
}
