package workerpool_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// ends are all the ways in which a function can end that do not end the process.
var ends = []struct {
	name   string
	end    func() error
	panics bool
	exits  bool // the goroutine ends
}{
	{"returns", func() error { return nil }, false, false},
	{"error", func() error { return errBoom }, false, false},
	{"panic", func() error { panic(errBoom) }, true, false},
	{"nil panic", func() error { panic(nil) }, true, false}, //nolint:govet // the subject
	{"runtime error", func() error { var none []error; return none[time.Now().Nanosecond()] }, true, false},
	{"panic in a panic", func() error { defer func() { panic("second") }(); panic("first") }, true, false},
	{"Goexit", func() error { runtime.Goexit(); return nil }, false, true},
	{"panic in a Goexit", func() error { defer func() { panic("cleanup") }(); runtime.Goexit(); return nil }, true, true},
	{"nil panic in a Goexit", func() error {
		defer func() { panic(nil) }() //nolint:govet // the subject
		runtime.Goexit()
		return nil
	}, true, true},
	{"Goexit in a panic", func() error { defer runtime.Goexit(); panic(errBoom) }, false, true},
	{"recovered panic in a Goexit", func() error {
		defer func() {
			defer func() { _ = recover() }()
			panic("x")
		}()
		runtime.Goexit()
		return nil
	}, false, true},
}

// places are all the places where a pool calls a function of the user: each calls end
// once, in a pool that has one worker.
var places = []struct {
	name  string
	cfg   func(cfg *workerpool.Config, end func())
	call  func(t *testing.T, p *workerpool.Pool, end func() error)
	tasks uint64 // that end so; the others return
}{
	{"Submit", nil, func(t *testing.T, p *workerpool.Pool, end func() error) {
		require.NoError(t, p.Submit(func() { _ = end() }))
	}, 1},
	{"SubmitContext", nil, func(t *testing.T, p *workerpool.Pool, end func() error) {
		require.NoError(t, p.SubmitContext(bg, func() { _ = end() }))
	}, 1},
	{"Do", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		_ = p.Do(bg, workerpool.Task{Label: "l", Run: func(context.Context) error { return end() }})
	}, 1},
	{"Go", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		_, _ = workerpool.Go(bg, p, func(context.Context) (int, error) { return 0, end() }).Wait(bg)
	}, 1},
	{"Group", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		g := p.Group(bg)
		g.Go(func(context.Context) error { return end() })
		_ = g.Wait()
	}, 1},
	{"Map", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		for range workerpool.Map(bg, p, count(1), func(context.Context, int) (int, error) { return 0, end() }) {
		}
	}, 1},
	{"ctx.Value", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		_ = p.Do(strangeCtx{bg, end}, workerpool.Task{Label: "l", Run: func(context.Context) error { return nil }})
	}, 1},
	{"View.Submit", nil, func(t *testing.T, p *workerpool.Pool, end func() error) {
		require.NoError(t, p.Limit(1).Submit(func() { _ = end() }))
	}, 1},
	{"View.Do", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		_ = p.Limit(1).Do(bg, workerpool.Task{Run: func(context.Context) error { return end() }})
	}, 1},
	{"nested Do", nil, func(_ *testing.T, p *workerpool.Pool, end func() error) {
		_ = p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
			_ = p.Do(ctx, workerpool.Task{Run: func(context.Context) error { return end() }})
			return nil
		}})
	}, 1},
	{"Blocking", nil, func(t *testing.T, p *workerpool.Pool, end func() error) {
		require.NoError(t, p.Submit(func() { _ = p.Blocking(bg, func() { _ = end() }) }))
	}, 1},
	{
		"CallerRuns", func(cfg *workerpool.Config, _ func()) { cfg.Overflow = workerpool.CallerRuns },
		func(t *testing.T, p *workerpool.Pool, end func() error) {
			release := occupy(t, p, 1)
			defer release()
			for p.TrySubmit(func() {}) == nil { // fill the queue
			}
			over := make(chan struct{})
			go func() { // end may end it
				defer close(over)
				_ = p.Submit(func() { _ = end() })
			}()
			<-over
		}, 1,
	},
	{
		"CallerRuns in a task", func(cfg *workerpool.Config, _ func()) { cfg.Overflow = workerpool.CallerRuns },
		func(t *testing.T, p *workerpool.Pool, end func() error) {
			gate, open := newGate(t)
			in := make(chan struct{})
			require.NoError(t, p.Submit(func() { close(in); <-gate; _ = p.Submit(func() { _ = end() }) }))
			<-in
			for p.TrySubmit(func() {}) == nil {
			}
			open()
		}, 1,
	},
	{
		"OnPanic", func(cfg *workerpool.Config, end func()) { cfg.OnPanic = func(*workerpool.PanicError) { end() } },
		func(t *testing.T, p *workerpool.Pool, _ func() error) {
			require.NoError(t, p.Submit(func() { panic("task") }))
		}, 0,
	},
	{
		"OnDrop", func(cfg *workerpool.Config, end func()) {
			cfg.Overflow, cfg.OnDrop = workerpool.DropNewest, func(workerpool.DroppedTask) { end() }
		},
		func(t *testing.T, p *workerpool.Pool, _ func() error) {
			release := occupy(t, p, 1)
			defer release()
			for p.TrySubmit(func() {}) == nil {
			}
			over := make(chan struct{})
			go func() { // end may end it
				defer close(over)
				_ = p.Submit(func() { t.Error("ran") })
			}()
			<-over
		}, 0,
	},
	{"OnSample", monitorCalls(func(m *workerpool.Monitor, end func()) { m.OnSample = func(workerpool.Stats) { end() } }), waitForMonitor, 0},
	{"Scale", monitorCalls(func(m *workerpool.Monitor, end func()) {
		m.Scale = func(workerpool.Stats, workerpool.Stats) int { end(); return 0 }
	}), waitForMonitor, 0},
	{"OnStall", monitorCalls(func(m *workerpool.Monitor, end func()) {
		m.StallAfter, m.OnStall = time.Nanosecond, func(workerpool.StallReport) { end() }
	}), func(t *testing.T, p *workerpool.Pool, _ func() error) {
		for range 2 { // each task is reported once as new
			before := monitorCalled.Load()
			release := occupy(t, p, 1)
			until(t, "a report", func() bool { return monitorCalled.Load() > before })
			release()
		}
	}, 0},
}

// strangeCtx is a ctx of the user's own making, whose Value calls end where it is asked
// for what package context itself does not ask.
type strangeCtx struct {
	context.Context
	end func() error
}

func (c strangeCtx) Value(key any) any {
	if _, ok := key.(*int); !ok { // that of context.Cause
		_ = c.end()
	}
	return nil
}

func monitorCalls(set func(*workerpool.Monitor, func())) func(*workerpool.Config, func()) {
	return func(cfg *workerpool.Config, end func()) {
		cfg.Monitor = &workerpool.Monitor{Interval: workerpool.MinInterval}
		set(cfg.Monitor, end)
	}
}

var monitorCalled atomic.Int64

func waitForMonitor(t *testing.T, _ *workerpool.Pool, _ func() error) {
	before := monitorCalled.Load()
	until(t, "two calls: one that ended so, and one after it", func() bool { return monitorCalled.Load() >= before+2 })
}

// Whatever way a function of the user ends, and wherever it was called, the pool is as
// it was: one worker, which runs the next task and knows its own goroutine, no other
// goroutine taken for it, and books that balance.
func TestEveryEndInEveryPlace(t *testing.T) {
	for _, godebug := range []string{"panicnil=0", "panicnil=1"} {
		t.Setenv("GODEBUG", godebug)
		sizes := []int{workerpool.NoQueue, 1, workerpool.Unbounded}
		if godebug == "panicnil=1" {
			sizes = sizes[1:2]
		}
		for _, size := range sizes {
			for _, place := range places {
				if size == workerpool.Unbounded && (place.name == "OnDrop" || place.name == "CallerRuns" || place.name == "CallerRuns in a task") {
					continue // it is never full
				}
				for _, end := range ends {
					t.Run(fmt.Sprintf("%s/queue=%s/%s/%s", godebug, queueName(size), place.name, end.name), func(t *testing.T) {
						watch(t)
						cfg := workerpool.Config{MaxWorkers: 1, QueueSize: size, OnPanic: func(*workerpool.PanicError) {}}
						if place.cfg != nil {
							place.cfg(&cfg, func() { monitorCalled.Add(1); _ = end.end() })
						}
						p := newPool(t, cfg)
						const rounds = 2
						for range rounds {
							place.call(t, p, end.end)
							require.NoError(t, p.Wait(bg))
							checkAlive(t, p)
						}
						st := closeAndCheck(t, p)
						if place.tasks == 0 {
							return
						}
						panics := end.panics
						if godebug == "panicnil=1" && end.name == "nil panic in a Goexit" {
							panics = false // nothing tells it from the Goexit alone
						}
						require.EqualValues(t, b2i(panics)*rounds*place.tasks, st.Panics, "%+v", st)
						require.EqualValues(t, b2i(end.exits && !panics)*rounds*place.tasks, st.Goexits-nestedExits(place.name, end.exits)*rounds, "%+v", st)
					})
				}
			}
		}
	}
}

// nestedExits is how many other tasks a Goexit ends, on whose goroutine the one ran.
func nestedExits(place string, exits bool) uint64 {
	return b2i(place == "CallerRuns in a task" && exits)
}

func b2i(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// checkAlive runs a few tasks on a pool that has one worker and nothing to do.
func checkAlive(t *testing.T, p *workerpool.Pool) {
	t.Helper()
	var now, most atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		all.Add(1)
		require.NoError(t, p.SubmitContext(bg, func() {
			defer all.Done()
			most.Store(max(most.Load(), now.Add(1)))
			if err := p.Wait(bg); err != workerpool.ErrInside {
				t.Error("a task is not known as one:", err)
			}
			runtime.Gosched()
			now.Add(-1)
		}))
	}
	all.Wait()
	require.EqualValues(t, 1, most.Load(), "tasks at once")
	until(t, "no more than one worker", func() bool { return p.Stats().Workers <= 1 })
	for range 20 { // new goroutines, which get the numbers of ended ones
		all.Go(func() {
			if err := p.Wait(bg); err != nil {
				t.Error("a stranger was taken for a task:", err)
			}
		})
	}
	all.Wait()
}
