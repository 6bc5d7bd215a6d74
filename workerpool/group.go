package workerpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Group is a set of tasks on a pool that are waited for together, like errgroup's
// but on the pool's workers. Make one with [Pool.Group]. All methods are safe for
// concurrent use; Go may be called from the group's own tasks, and after Wait.
type Group struct {
	p        *Pool
	ctx      context.Context
	cancel   context.CancelCauseFunc
	failFast bool
	slots    chan struct{} // nil without a limit

	mu      sync.Mutex
	running int           // guarded by mu; tasks accepted and not ended
	quiet   chan struct{} // guarded by mu; closed when running gets to 0; nil if nobody waits
	errs    []error       // guarded by mu
}

// GroupOption is an option of [Pool.Group].
type GroupOption func(*Group)

// Limit bounds the group's tasks in the pool, running or queued, to n: Go waits
// while there are as many. A task that calls Go keeps its own place meanwhile: if
// all n do, none gets one, as with errgroup's limit. n below 1 means no bound.
func Limit(n int) GroupOption {
	return func(g *Group) {
		g.slots = nil
		if n > 0 {
			g.slots = make(chan struct{}, n)
		}
	}
}

// FailFast cancels the group's ctx at the first error, so that tasks which have
// not started do not run, and makes Wait return that error alone.
func FailFast() GroupOption { return func(g *Group) { g.failFast = true } }

// Group returns an empty group whose tasks get a ctx derived from ctx. It is
// cancelled when Wait returns.
func (p *Pool) Group(ctx context.Context, opts ...GroupOption) *Group {
	g := &Group{p: p}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	for _, opt := range opts {
		opt(g)
	}
	return g
}

// Go submits f, waiting for room in the queue and within the group's Limit. What
// keeps f from running (the pool is closed, ctx ended, f is nil) counts as f's
// error. Called from a task of the same pool, the pool may run another worker
// while Go waits.
func (g *Group) Go(f func(context.Context) error, opts ...TaskOption) {
	var o taskOptions
	for _, opt := range opts {
		opt(&o)
	}
	o.Run = f
	if g.p == nil || g.p.c == nil {
		g.fail(ErrClosed)
		return
	}
	t := new(taskCore)
	if err := t.init(g.ctx, g.p.c, o.Task); err != nil {
		g.fail(err)
		return
	}
	if err := g.enter(); err != nil {
		t.cancel(nil)
		g.fail(err)
		return
	}
	t.ended = func() {
		if t.err != nil {
			g.fail(t.err)
		}
		g.leave()
	}
	_ = t.submit(o.view) // ended has the error
}

func (g *Group) enter() error {
	if g.slots != nil {
		select {
		case g.slots <- struct{}{}:
		default:
			defer g.p.c.stepAside()()
			select {
			case g.slots <- struct{}{}:
			case <-g.ctx.Done():
				return g.ctx.Err()
			}
		}
	}
	g.mu.Lock()
	g.running++
	g.mu.Unlock()
	return nil
}

func (g *Group) leave() {
	if g.slots != nil {
		<-g.slots
	}
	g.mu.Lock()
	g.running--
	if g.running == 0 && g.quiet != nil {
		close(g.quiet)
		g.quiet = nil
	}
	g.mu.Unlock()
}

func (g *Group) fail(err error) {
	g.mu.Lock()
	// Tasks that end because the first one failed add nothing.
	if !g.failFast || len(g.errs) == 0 {
		g.errs = append(g.errs, err)
	}
	g.mu.Unlock()
	if g.failFast {
		g.cancel(fmt.Errorf("workerpool: group failed: %w", err))
	}
}

// Wait waits until every task of the group has ended. It returns the first error
// with FailFast, else all of them joined in the order in which they came, or nil.
// A panic of a task is a *PanicError among them, a Goexit is ErrGoexit.
func (g *Group) Wait() error {
	g.mu.Lock()
	var quiet chan struct{}
	if g.running > 0 {
		if g.quiet == nil {
			g.quiet = make(chan struct{})
		}
		quiet = g.quiet
	}
	g.mu.Unlock()
	if quiet != nil {
		back := g.p.c.stepAside()
		<-quiet
		back()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel(context.Canceled)
	if g.failFast && len(g.errs) > 0 {
		return g.errs[0]
	}
	return errors.Join(g.errs...)
}
