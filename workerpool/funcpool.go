package workerpool

import (
	"context"
	"errors"
)

// FuncPool runs one function on many arguments. It is a [Pool] without a closure
// per task: an argument goes into the queue as it is. Make one with [NewFunc]; the
// zero FuncPool is closed. Everything said of Pool's methods holds for those of
// the same name here.
type FuncPool[T any] struct {
	_ noCopy
	c *core[T]
}

// NewFunc starts a pool that calls f with each argument given to Invoke. It
// returns an error if cfg is invalid or f is nil.
func NewFunc[T any](cfg Config, f func(T)) (*FuncPool[T], error) {
	if f == nil {
		return nil, errors.New("workerpool: NewFunc: function is nil")
	}
	p := new(FuncPool[T])
	exec := func(_ *worker, v T) outcome { f(v); return completed }
	if m := cfg.Monitor; m != nil && m.StallAfter > 0 {
		exec = func(w *worker, v T) outcome {
			w.begin(f, nil, p.c.clock.now())
			defer w.clearNow()
			f(v)
			return completed
		}
	}
	c, err := newCore(cfg, exec, func(T, error) {})
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
	return p.c.submit(&p.c.levels[0], v)
}

// TryInvoke is Invoke that never waits, runs or drops anything: it returns ErrFull
// when there is no room.
func (p *FuncPool[T]) TryInvoke(v T) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.trySubmit(&p.c.levels[0], v)
}

// InvokeContext is Invoke that waits for room until ctx ends, see
// [Pool.SubmitContext].
func (p *FuncPool[T]) InvokeContext(ctx context.Context, v T) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.submitWait(ctx, &p.c.levels[0], v)
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

// Stats is [Pool.Stats].
func (p *FuncPool[T]) Stats() Stats {
	if p == nil || p.c == nil {
		return Stats{}
	}
	return p.c.stats()
}
