package workerpool

import (
	"context"
	"errors"

	"github.com/poundlock/poundlock/internal/nocopy"
)

// FuncPool runs one function on many arguments. It is a [Pool] without a closure
// per task: an argument goes into the queue as it is. Make one with [NewFunc]; the
// zero FuncPool is closed. Everything said of Pool's methods holds for those of
// the same name here.
type FuncPool[T any] struct {
	_ nocopy.NoCopy
	c *core[call[T]]
}

// call is an argument in the queue of a FuncPool.
type call[T any] struct {
	arg  T
	gate *gate[call[T]] // nil outside of views
}

// NewFunc starts a pool that calls f with each argument given to Invoke. It
// returns an error if cfg is invalid or f is nil.
func NewFunc[T any](cfg Config, f func(T)) (*FuncPool[T], error) {
	if f == nil {
		return nil, errors.New("workerpool: NewFunc: function is nil")
	}
	p := new(FuncPool[T])
	one := func(_ *worker[call[T]], v T) { f(v) }
	if m := cfg.Monitor; m != nil && m.StallAfter > 0 {
		one = func(w *worker[call[T]], v T) {
			w.begin(f, nil, p.c.clock.now())
			defer w.clearNow()
			f(v)
		}
	}
	c, err := newCore(cfg, kind[call[T]]{
		run: func(w *worker[call[T]], a call[T]) {
			if a.gate != nil {
				w.gate = a.gate
				defer func() { // after a panic and a Goexit too
					w.gate = nil
					a.gate.taskEnded()
				}()
			}
			one(w, a.arg)
		},
		drop: func(a call[T], _ error) {
			if a.gate != nil {
				a.gate.pass()
			}
		},
		report: func(a call[T]) DroppedTask { return DroppedTask{Label: taskName(f), Arg: a.arg} },
		over:   func(call[T]) (ending, bool) { return 0, false },
		bury:   func(call[T]) {},
	})
	if err != nil {
		return nil, err
	}
	p.c = c
	return p, nil
}

// Invoke hands v to the function, as [Pool.Submit] does with a task.
func (p *FuncPool[T]) Invoke(v T) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.submit(&p.c.desk.q.levels[0], call[T]{arg: v})
}

// TryInvoke is Invoke that never waits, runs or drops anything: it returns ErrFull
// when there is no room.
func (p *FuncPool[T]) TryInvoke(v T) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.trySubmit(&p.c.desk.q.levels[0], call[T]{arg: v})
}

// InvokeContext is Invoke that waits for room until ctx ends, see
// [Pool.SubmitContext].
func (p *FuncPool[T]) InvokeContext(ctx context.Context, v T) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.submitWait(ctx, &p.c.desk.q.levels[0], call[T]{arg: v})
}

// Blocking is [Pool.Blocking].
func (p *FuncPool[T]) Blocking(ctx context.Context, f func()) error {
	if p == nil {
		return (*core[call[T]])(nil).blocking(ctx, f)
	}
	return p.c.blocking(ctx, f)
}

// Resize is [Pool.Resize].
func (p *FuncPool[T]) Resize(minWorkers, maxWorkers int) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.resize(minWorkers, maxWorkers)
}

// Pause is [Pool.Pause].
func (p *FuncPool[T]) Pause(ctx context.Context) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.pause(ctx)
}

// Resume is [Pool.Resume].
func (p *FuncPool[T]) Resume() {
	if p != nil && p.c != nil {
		p.c.resume()
	}
}

// Wait is [Pool.Wait].
func (p *FuncPool[T]) Wait(ctx context.Context) error {
	if p == nil || p.c == nil {
		return nil
	}
	return p.c.wait(ctx)
}

// Close is [Pool.Close].
func (p *FuncPool[T]) Close() error {
	if p == nil || p.c == nil {
		return nil
	}
	return p.c.close()
}

// Shutdown is [Pool.Shutdown].
func (p *FuncPool[T]) Shutdown(ctx context.Context) error {
	if p == nil || p.c == nil {
		return nil
	}
	return p.c.shutdown(ctx)
}

// Done is [Pool.Done].
func (p *FuncPool[T]) Done() <-chan struct{} {
	if p == nil || p.c == nil {
		return closedChan()
	}
	return p.c.desk.crew.gone
}

// Stats is [Pool.Stats].
func (p *FuncPool[T]) Stats() Stats {
	if p == nil || p.c == nil {
		return Stats{}
	}
	return p.c.stats()
}

// FuncView is a [View] of a FuncPool. Make one with [FuncPool.Limit].
type FuncView[T any] struct{ g *gate[call[T]] }

// Limit returns a view of p that runs at most n calls at a time; n below 1 counts
// as 1.
func (p *FuncPool[T]) Limit(n int) *FuncView[T] {
	if p == nil || p.c == nil {
		return &FuncView[T]{newGate[call[T]](nil, n)}
	}
	g := newGate(p.c, n)
	g.mark = func(a call[T]) call[T] { return call[T]{a.arg, g} }
	g.level = func(call[T]) *level[call[T]] { return &p.c.desk.q.levels[0] }
	return &FuncView[T]{g}
}

// Invoke is [FuncPool.Invoke] within the view's cap.
func (v *FuncView[T]) Invoke(arg T) error {
	if v.closed() {
		return ErrClosed
	}
	return v.g.submit(context.Background(), call[T]{arg: arg}, v.g.c.cfg.Overflow)
}

// TryInvoke is [FuncPool.TryInvoke] within the view's cap.
func (v *FuncView[T]) TryInvoke(arg T) error {
	if v.closed() {
		return ErrClosed
	}
	return v.g.submit(context.Background(), call[T]{arg: arg}, Reject)
}

// InvokeContext is [FuncPool.InvokeContext] within the view's cap.
func (v *FuncView[T]) InvokeContext(ctx context.Context, arg T) error {
	if err := ctxEnd(ctx); err != nil {
		return err
	}
	if v.closed() {
		return ErrClosed
	}
	return v.g.submit(ctx, call[T]{arg: arg}, Block)
}

// Resize is [View.Resize].
func (v *FuncView[T]) Resize(n int) error {
	if v.closed() {
		return ErrClosed
	}
	return v.g.resize(n)
}

// Close is [View.Close].
func (v *FuncView[T]) Close() error {
	if v.closed() {
		return nil
	}
	return v.g.close()
}

// Done is [View.Done].
func (v *FuncView[T]) Done() <-chan struct{} {
	if v.closed() {
		return closedChan()
	}
	return v.g.ends()
}

// Stats is [View.Stats].
func (v *FuncView[T]) Stats() ViewStats {
	if v == nil || v.g == nil {
		return ViewStats{}
	}
	return v.g.stats()
}

func (v *FuncView[T]) closed() bool { return v == nil || v.g == nil || v.g.c == nil }
