package workerpool_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// Submit from tasks of a full pool, at MaxWorkers 1: ants deadlocks.
func TestNestedSubmitAtAFullPool(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		p := newPool(t, cfg)
		var ran atomic.Int64
		var spread func(depth int)
		spread = func(depth int) {
			ran.Add(1)
			if depth > 0 {
				for range 2 {
					require.NoError(t, p.Submit(func() { spread(depth - 1) }))
				}
			}
		}
		for range 3 {
			require.NoError(t, p.Submit(func() { spread(6) }))
		}
		require.NoError(t, p.Wait(bg))
		require.EqualValues(t, 3*(1<<7-1), ran.Load())
		until(t, "no more than MaxWorkers", func() bool { return p.Stats().Workers <= cfg.MaxWorkers })
		closeAndCheck(t, p)
	})
}

// A Do from inside that comes while a worker too many still runs is what the next
// free worker takes, before everything that waits in the queue.
func TestNestedDoIsTakenNext(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		gateX, openX := newGate(t)
		gateY, openY := newGate(t)
		var order []string // written by tasks that run one after the other
		x := workerpool.Go(bg, p, func(ctx context.Context) (int, error) {
			<-gateX
			return 0, p.Do(ctx, workerpool.Task{Run: func(context.Context) error { order = append(order, "nested"); return nil }})
		})
		require.NoError(t, p.Submit(func() { <-gateY }))
		until(t, "both run", func() bool { return p.Stats().Started == 2 })
		require.NoError(t, p.Resize(0, 1)) // one too many
		var sub sync.WaitGroup
		sub.Go(func() { require.NoError(t, p.Submit(func() { order = append(order, "queued") })) })
		until(t, "one waits", func() bool { st := p.Stats(); return st.Queued+st.Waiters == 1 })
		openX()
		until(t, "the other waits", func() bool { st := p.Stats(); return st.Nested == 1 && st.Queued+st.Waiters == 2 })
		openY()
		_, err := x.Wait(bg)
		require.NoError(t, err)
		sub.Wait()
		require.NoError(t, p.Wait(bg))
		require.Equal(t, []string{"nested", "queued"}, order)
		require.LessOrEqual(t, closeAndCheck(t, p).HighWater, 2)
	})
}

// The same pool paused, resumed, and given up while such a Do waits.
func TestNestedDoWaitsOutAPause(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		for _, giveUp := range []bool{false, true} {
			p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
			gateX, openX := newGate(t)
			gateY, openY := newGate(t)
			var ran atomic.Bool
			x := workerpool.Go(bg, p, func(ctx context.Context) (int, error) {
				<-gateX
				return 0, p.Do(ctx, workerpool.Task{Run: func(context.Context) error { ran.Store(true); return nil }})
			})
			require.NoError(t, p.Submit(func() { <-gateY }))
			until(t, "both run", func() bool { return p.Stats().Started == 2 })
			require.NoError(t, p.Resize(0, 1))
			openX()
			until(t, "the Do waits", func() bool { st := p.Stats(); return st.Nested == 1 && st.Queued == 1 })
			ended, end := context.WithCancel(bg)
			end()
			if giveUp {
				err := p.Shutdown(ended)
				var e *workerpool.ShutdownError
				require.ErrorAs(t, err, &e)
				require.Len(t, e.Dropped, 1)
				_, err = x.Wait(bg)
				require.ErrorIs(t, err, workerpool.ErrClosed)
				require.False(t, ran.Load())
				openY()
			} else {
				require.ErrorIs(t, p.Pause(ended), context.Canceled)
				openY()
				until(t, "one worker sleeps", func() bool { return p.Stats().Active == 1 })
				require.False(t, ran.Load())
				p.Resume()
				_, err := x.Wait(bg)
				require.NoError(t, err)
				require.True(t, ran.Load())
			}
			closeAndCheck(t, p)
		}
	})
}

// Do within Do within Do.
func TestNestedDo(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		p := newPool(t, cfg)
		var fib func(ctx context.Context, n int) (int, error)
		fib = func(ctx context.Context, n int) (int, error) {
			if n < 2 {
				return n, nil
			}
			a := workerpool.Go(ctx, p, func(ctx context.Context) (int, error) { return fib(ctx, n-1) })
			var b int
			err := p.Do(ctx, workerpool.Task{Run: func(ctx context.Context) (err error) { b, err = fib(ctx, n-2); return err }})
			require.NoError(t, err)
			v, err := a.Wait(ctx)
			return v + b, err
		}
		v, err := workerpool.Go(bg, p, func(ctx context.Context) (int, error) { return fib(ctx, 8) }).Wait(bg)
		require.NoError(t, err)
		require.Equal(t, 21, v)
		require.NoError(t, p.Wait(bg))
		until(t, "no more than MaxWorkers", func() bool { return p.Stats().Workers <= cfg.MaxWorkers })
		closeAndCheck(t, p)
	})
}

// pond: nested groups hang.
func TestNestedGroups(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		p := newPool(t, cfg)
		var leaves atomic.Int64
		var tree func(ctx context.Context, depth int) error
		tree = func(ctx context.Context, depth int) error {
			if depth == 0 {
				leaves.Add(1)
				return nil
			}
			g := p.Group(ctx, workerpool.Limit(2))
			for range 3 {
				g.Go(func(ctx context.Context) error { return tree(ctx, depth-1) })
			}
			return g.Wait()
		}
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error { return tree(ctx, 4) }}))
		require.EqualValues(t, 81, leaves.Load())
		closeAndCheck(t, p)
	})
}

func TestNestedMap(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		sum := 0
		err := p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
			for v, err := range workerpool.Map(ctx, p, count(20), func(_ context.Context, n int) (int, error) { return n, nil }) {
				require.NoError(t, err)
				sum += v
			}
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, 190, sum)
		closeAndCheck(t, p)
	})
}

// The pool knows its own tasks at any depth of stack, after a panic, after a
// Goexit and in nested workers, and takes no other goroutine for one.
func TestTheCallerIsRecognised(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size, OnPanic: func(*workerpool.PanicError) {}})
		other := newPool(t, workerpool.Config{MaxWorkers: 1})
		check := func() {
			for _, depth := range []int{0, 1, 10, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 115, 120, 125, 1000} {
				deep(depth, func() {
					if err := p.Wait(bg); err != workerpool.ErrInside {
						t.Errorf("Wait at depth %d: %v", depth, err)
					}
				})
			}
			if err := p.Pause(bg); err != workerpool.ErrInside {
				t.Error("Pause in a task:", err)
			}
			if err := other.Wait(bg); err != nil {
				t.Error("another pool's Wait in a task:", err)
			}
		}
		run := func(f func()) {
			t.Helper()
			done := make(chan struct{})
			require.NoError(t, p.Submit(func() { defer close(done); f() }))
			<-done
		}
		run(check)
		require.NoError(t, p.Submit(func() { panic("x") }))
		run(check)
		require.NoError(t, p.Submit(runtime.Goexit))
		run(check)
		require.NoError(t, p.Submit(runtime.Goexit))
		run(check)
		run(func() {
			sub := make(chan struct{})
			go func() { // not a task
				defer close(sub)
				if err := other.Wait(bg); err != nil {
					t.Error(err)
				}
			}()
			<-sub
		})
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error {
			check()
			return p.Do(bg, workerpool.Task{Run: func(context.Context) error { check(); return nil }})
		}}))
		require.NoError(t, p.Wait(bg))
		closeAndCheck(t, p)
	})
}

//go:noinline
func deep(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	deep(n-1, f)
	runtime.KeepAlive(n)
}

// A task that waits in Blocking for another task of a full pool.
func TestBlockingLetsAnotherWorkerRun(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		require.NoError(t, p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error {
			done := make(chan struct{})
			go func() { require.NoError(t, p.Submit(func() { close(done) })) }()
			return p.Blocking(ctx, func() { <-done })
		}}))
		// A panic within gives the place back too.
		err := p.Do(bg, workerpool.Task{Run: func(ctx context.Context) error { return p.Blocking(ctx, func() { panic(errBoom) }) }})
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, p.Blocking(bg, nil), workerpool.ErrNilTask)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		require.ErrorIs(t, p.Blocking(ctx, func() { t.Error("ran") }), context.Canceled)
		require.NoError(t, p.Wait(bg))
		until(t, "1 worker", func() bool { return p.Stats().Workers <= 1 })
		closeAndCheck(t, p)
	})
}

// So may a call of a FuncPool that waits for another.
func TestBlockingInAFuncPool(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		done := make(chan struct{})
		var p *workerpool.FuncPool[bool]
		p, err := workerpool.NewFunc(workerpool.Config{MaxWorkers: 1, QueueSize: size}, func(waits bool) {
			if !waits {
				close(done)
				return
			}
			if err := p.Blocking(bg, func() { <-done }); err != nil {
				t.Error(err)
			}
		})
		require.NoError(t, err)
		v := p.Limit(1)
		require.NoError(t, v.Invoke(true))
		require.NoError(t, v.Invoke(false))
		require.NoError(t, p.Close())
		checkBooks(t, p.Stats())
	})
}

// Waiting tasks come and go while the pool is resized: the limit ends up exact.
func TestCompensationAgainstResize(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, QueueSize: size})
		g := p.Group(bg)
		for i := range scaled(400) {
			g.Go(func(ctx context.Context) error {
				return p.Do(ctx, workerpool.Task{Run: func(context.Context) error { return nil }})
			})
			require.NoError(t, p.Resize(i%2, 1+i%3))
		}
		require.NoError(t, g.Wait())
		require.NoError(t, p.Resize(0, 1))
		require.NoError(t, p.Wait(bg))
		until(t, "1 worker", func() bool { return p.Stats().Workers <= 1 })
		closeAndCheck(t, p)
	})
}
