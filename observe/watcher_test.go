package observe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// watched runs a watcher in a bubble for so long, and returns what was broken.
func watched(t *testing.T, cfg observe.WatcherConfig, body func(w *observe.Watcher)) (got []observe.Breach, stats observe.WatcherStats, log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Registry == nil {
			cfg.Registry = new(observe.Registry)
		}
		var mu sync.Mutex
		var out bytes.Buffer
		hook := cfg.OnBreach
		cfg.OnBreach = func(b observe.Breach) {
			mu.Lock()
			got = append(got, b)
			mu.Unlock()
			if hook != nil {
				hook(b)
			}
		}
		cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		w, err := observe.NewWatcher(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		body(w)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		stats, log = w.Stats(), out.String()
	})
	return got, stats, log
}

func seconds(bs []observe.Breach) (at []int) {
	for _, b := range bs {
		at = append(at, int(b.At.Sub(bs[0].At).Seconds()))
	}
	return at
}

func TestARuleIsSilentWhileItCoolsDown(t *testing.T) {
	n := 0
	got, stats, log := watched(t, observe.WatcherConfig{Rules: []observe.Rule{{
		Name: "always", CoolDown: time.Minute, When: func(*observe.Sample) string { n++; return "it is" },
	}}}, func(*observe.Watcher) { time.Sleep(150*time.Second + 1) })
	require.Equal(t, []int{0, 60, 120}, seconds(got))
	require.Equal(t, observe.Breach{At: got[0].At, Rule: "always", What: "it is"}, got[0])
	require.Equal(t, 150, n, "asked for every sample all the same")
	require.EqualValues(t, 150, stats.Samples)
	require.EqualValues(t, 3, stats.Breaches)
	require.Zero(t, stats.Captures)
	require.Contains(t, log, `level=WARN msg="observe: rule broken" rule=always what="it is"`)
}

func TestARuleMustHoldFor(t *testing.T) {
	n := 0
	got, _, _ := watched(t, observe.WatcherConfig{Rules: []observe.Rule{{
		Name: "long", For: 5 * time.Second, CoolDown: time.Second,
		When: func(*observe.Sample) string {
			if n++; n%5 == 0 || n > 20 && n < 28 {
				return "now"
			}
			return ""
		},
	}}}, func(*observe.Watcher) { time.Sleep(60 * time.Second) })
	require.Len(t, got, 1, "single findings do not count")
}

func TestAPanicInARuleIsContained(t *testing.T) {
	got, stats, log := watched(t, observe.WatcherConfig{
		Rules: []observe.Rule{
			{Name: "bad", When: func(*observe.Sample) string { panic("ouch") }},
			{Name: "good", When: func(*observe.Sample) string { return "found" }},
		},
		OnBreach: func(observe.Breach) { panic("hook") },
	}, func(*observe.Watcher) { time.Sleep(3 * time.Second) })
	require.Len(t, got, 1)
	require.GreaterOrEqual(t, stats.Panics, uint64(3))
	require.Contains(t, log, "ouch")
	require.Contains(t, log, "in=OnBreach value=hook")
}

func TestReports(t *testing.T) {
	got, stats, _ := watched(t, observe.WatcherConfig{Rules: []observe.Rule{{Name: "leak", CoolDown: time.Minute, Take: []observe.Profile{}}}},
		func(w *observe.Watcher) {
			for range 3 {
				w.Report("leak", "a loan of 5 min")
				w.Report("unknown", "x")
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			w.Report("leak", "again")
			synctest.Wait()
		})
	var rules []string
	for _, b := range got {
		rules = append(rules, b.Rule)
	}
	require.Equal(t, []string{"leak", "unknown", "unknown", "unknown", "leak"}, rules)
	require.Zero(t, stats.Dropped)
}

func TestReportNeverBlocks(t *testing.T) {
	w, err := observe.NewWatcher(observe.WatcherConfig{Registry: new(observe.Registry)})
	require.NoError(t, err)
	for range 20 {
		w.Report("x", "nobody listens")
	}
	require.EqualValues(t, 4, w.Stats().Dropped)
}

func TestABreachIsCaptured(t *testing.T) {
	dir := t.TempDir()
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: dir})
	require.NoError(t, err)
	take := []observe.Profile{observe.GoroutineProfile, observe.HeapProfile}
	always := func(*observe.Sample) string { return "yes" }
	got, stats, log := watched(t, observe.WatcherConfig{
		Captures: c,
		Rules: []observe.Rule{
			{Name: "first", When: always, Take: take, CoolDown: 2 * time.Minute},
			{Name: "second", When: always, Take: take, CoolDown: 90 * time.Second},
			{Name: "none", When: always, Take: []observe.Profile{}, CoolDown: time.Hour},
		},
	}, func(*observe.Watcher) { time.Sleep(100 * time.Second) })
	files := map[string]int{}
	for _, b := range got {
		require.NoError(t, b.Err)
		files[b.Rule] += len(b.Files)
		for _, f := range b.Files {
			info, err := os.Stat(f)
			require.NoError(t, err)
			require.NotZero(t, info.Size())
		}
	}
	require.Equal(t, map[string]int{"first": 2, "second": 2, "none": 0}, files, "the second is quiet at first, and captures later")
	require.EqualValues(t, 4, stats.Breaches)
	require.EqualValues(t, 2, stats.Captures)
	require.Contains(t, log, "-first.goroutine.pprof")
}

// Within Quiet after a capture no other rule causes one, though it has ended long ago.
func TestOneOverloadIsCapturedOnce(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	take := []observe.Profile{observe.HeapProfile}
	for quiet, want := range map[time.Duration][]int{
		30 * time.Second: {1, 0, 1, 1}, // at 1 s, 30 s, 31 s, 61 s
		0:                {1, 0, 0, 1}, // a minute
		-1:               {1, 1, 1, 1},
	} {
		n := 0
		got, stats, _ := watched(t, observe.WatcherConfig{
			Captures: c, Quiet: quiet,
			Rules: []observe.Rule{
				{Name: "first", When: func(*observe.Sample) string { n++; return "yes" }, Take: take, CoolDown: time.Hour},
				{Name: "later", When: func(*observe.Sample) string {
					if n == 30 || n == 31 || n == 61 {
						return "yes"
					}
					return ""
				}, Take: take, CoolDown: time.Second},
			},
		}, func(*observe.Watcher) { time.Sleep(70 * time.Second) })
		var files []int
		captured := uint64(0)
		for _, b := range got {
			files = append(files, len(b.Files))
			captured += uint64(len(b.Files))
		}
		require.Equal(t, want, files, quiet)
		require.Equal(t, captured, stats.Captures)
	}
}

// A hook that takes its time, about a breach that was captured, holds up neither samples nor
// captures: what is captured meanwhile waits for its turn with the hook only.
func TestASlowHookHoldsUpNoCapture(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	var n, inHook atomic.Int64
	var w atomic.Pointer[observe.Watcher]
	var capturing []bool // one call at a time, and read at the end
	take := []observe.Profile{observe.HeapProfile}
	at := func(when int64) func(*observe.Sample) string {
		return func(*observe.Sample) string {
			if n.Load() == when {
				return "now"
			}
			return ""
		}
	}
	got, stats, _ := watched(t, observe.WatcherConfig{
		Captures: c, Quiet: -1,
		Rules: []observe.Rule{
			{Name: "first", When: func(s *observe.Sample) string { n.Add(1); return at(1)(s) }, Take: take},
			{Name: "second", When: at(5), Take: take},
			{Name: "third", When: at(7), Take: take},
		},
		OnBreach: func(observe.Breach) {
			require.EqualValues(t, 1, inHook.Add(1), "one call at a time")
			capturing = append(capturing, w.Load().Stats().Capturing)
			time.Sleep(10 * time.Second)
			inHook.Add(-1)
		},
	}, func(watcher *observe.Watcher) {
		w.Store(watcher)
		time.Sleep(20*time.Second + 1)
		require.EqualValues(t, 20, n.Load(), "samples go on")
		time.Sleep(20 * time.Second)
	})
	files := map[string]int{}
	for _, b := range got {
		require.NoError(t, b.Err)
		files[b.Rule] = len(b.Files)
	}
	require.Equal(t, map[string]int{"first": 1, "second": 1, "third": 1}, files)
	require.EqualValues(t, 3, stats.Captures)
	require.Equal(t, []bool{false, false, false}, capturing, "what the hook is told has ended")
}

// Run returns when what it has begun to capture is written and told.
func TestRunWaitsForItsCapture(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir(), Duration: time.Hour})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int64
		w, err := observe.NewWatcher(observe.WatcherConfig{
			Registry: new(observe.Registry), Captures: c, Logger: slog.New(slog.DiscardHandler),
			Rules: []observe.Rule{{Name: "x", When: func(*observe.Sample) string { return "yes" }, Take: []observe.Profile{observe.MutexProfile}}},
			OnBreach: func(b observe.Breach) {
				time.Sleep(time.Second)
				told.Store(int64(len(b.Files)))
			},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.ErrorIs(t, w.Run(ctx), context.DeadlineExceeded)
		require.EqualValues(t, 1, told.Load())
		require.False(t, w.Stats().Capturing)
	})
}

func TestACaptureThatFailsIsTold(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	got, stats, log := watched(t, observe.WatcherConfig{
		Captures: c, Rules: []observe.Rule{{Name: "x", When: func(*observe.Sample) string { return "yes" }}},
	}, func(*observe.Watcher) { time.Sleep(2 * time.Second) })
	require.ErrorIs(t, got[0].Err, observe.ErrClosed)
	require.EqualValues(t, 1, stats.CaptureFailures)
	require.Contains(t, log, "closed")
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := observe.NewWatcher(observe.WatcherConfig{Registry: new(observe.Registry)})
		require.NoError(t, err)
		cause := errors.New("cause")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		require.ErrorContains(t, w.Run(ctx), "going on already")
		cancel(cause)
		require.ErrorIs(t, <-ended, cause)
		require.ErrorIs(t, w.Run(ctx), cause, "and may run again")
		var none context.Context
		require.PanicsWithValue(t, "observe: nil Context", func() { _ = w.Run(none) })
	})
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestNewWatcherRefuses(t *testing.T) {
	reg := new(observe.Registry)
	rule := func(r observe.Rule) observe.WatcherConfig {
		return observe.WatcherConfig{Registry: reg, Rules: []observe.Rule{{Name: "a"}, r}}
	}
	for says, cfg := range map[string]observe.WatcherConfig{
		"Registry is nil":            {},
		"Interval is negative: -1ns": {Registry: reg, Interval: -1},
		"Window is negative":         {Registry: reg, Window: -1},
		"Rules[1] has no Name":       rule(observe.Rule{}),
		`two named "a"`:              rule(observe.Rule{Name: "a"}),
		`rule "b" has a negative`:    rule(observe.Rule{Name: "b", For: -1}),
		`rule "c" has a negative`:    rule(observe.Rule{Name: "c", CoolDown: -1}),
		`no profile "gpu"`:           rule(observe.Rule{Name: "d", Take: []observe.Profile{"gpu"}}),
	} {
		w, err := observe.NewWatcher(cfg)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "observe: ")
		require.Nil(t, w)
	}
}
