package workerpool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/list"
)

// Group is a set of tasks on a pool that are waited for together, like errgroup's
// but on the pool's workers. Make one with [Pool.Group]. All methods are safe for
// concurrent use; Go may be called from the group's own tasks, and after Wait, which
// leaves the group as new: with a new ctx, and without errors.
type Group struct {
	p        *Pool
	parent   context.Context
	failFast bool
	slots    chan struct{} // nil without a limit

	mu      sync.Mutex
	ctx     context.Context // guarded by mu; of this round of tasks
	cancel  context.CancelCauseFunc
	waited  bool          // guarded by mu; a Wait has seen the end of the round
	running int           // guarded by mu; tasks accepted or being submitted, and not ended
	quiet   chan struct{} // guarded by mu; closed when running gets to 0; nil if nobody waits
	errs    []error       // guarded by mu

	members list.List[*member] // guarded by mu; of running, those that may be in a queue
}

// member is a task of a Group.
type member struct {
	taskCore
	place list.Node[*member] // in Group.members
}

// GroupOption is an option of [Pool.Group].
type GroupOption func(*Group)

// Limit bounds the group's tasks in the pool, running or queued, to n: Go waits
// while there are as many. A task that calls Go keeps its own place meanwhile: if
// all n do, none gets one, as with errgroup's limit. Likewise tasks that all wait for
// something that only a further task would do cannot go on. The wait is part of a task's
// Timeout. n below 1 means no bound.
func Limit(n int) GroupOption {
	return func(g *Group) {
		g.slots = nil
		if n > 0 {
			g.slots = make(chan struct{}, n)
		}
	}
}

// FailFast cancels the group's ctx at the first error, so that tasks which have
// not started do not run, and makes Wait return that error alone. Only a task that
// runs can fail: where all running tasks of the pool, or all that the group's Limit
// allows, wait for the cancellation, a queued one that would fail does not get to.
func FailFast() GroupOption { return func(g *Group) { g.failFast = true } }

// Group returns an empty group whose tasks get a ctx derived from ctx. It is
// cancelled when Wait returns.
func (p *Pool) Group(ctx context.Context, opts ...GroupOption) *Group {
	ctxerr.NotNil(ctx, "workerpool")
	g := &Group{p: p, parent: ctx}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	for _, opt := range opts {
		opt(g)
	}
	return g
}

// Context returns the ctx that the group's tasks get their own from. It ends with
// the ctx given to Pool.Group, at the first error with [FailFast], and when Wait
// returns; after that it is the one of the next tasks.
func (g *Group) Context() context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.renew()
	return g.ctx
}

// renew begins a new round after one that was waited for. The caller holds mu.
func (g *Group) renew() {
	if g.waited {
		g.waited, g.errs = false, nil
		g.ctx, g.cancel = context.WithCancelCause(g.parent)
	}
}

// Go submits f, waiting for room in the queue and within the group's Limit. What
// keeps f from running (the pool is closed, ctx ended, f is nil, Config.MaxWaiters
// or MaxNested is reached) counts as f's error. Called from a task of the same pool,
// the pool may run another worker while Go waits.
func (g *Group) Go(f func(context.Context) error, opts ...TaskOption) {
	if err := g.submit(f, opts, Block); err != nil {
		g.fail(err)
		g.leave(nil)
	}
}

// TryGo is Go that never waits: it returns ErrFull where the queue is full or the
// group's Limit reached. An error means that f will not run, and is none of the
// group's.
func (g *Group) TryGo(f func(context.Context) error, opts ...TaskOption) error {
	err := g.submit(f, opts, Reject)
	if err != nil {
		g.leave(nil)
	}
	return err
}

// submit counts f as running and hands it to the pool. On an error the caller must
// leave.
func (g *Group) submit(f func(context.Context) error, opts []TaskOption, overflow Overflow) error {
	var o taskOptions
	for _, opt := range opts {
		opt(&o)
	}
	o.Run = f
	g.mu.Lock()
	g.renew()
	g.running++ // before the wait for a slot: a Wait that comes now waits for f
	ctx := g.ctx
	g.mu.Unlock()
	if g.p == nil || g.p.c == nil {
		return ErrClosed
	}
	m := new(member)
	t := &m.taskCore
	if err := t.init(ctx, g.p.c, o.Task); err != nil {
		return err
	}
	if err := g.enter(t, overflow); err != nil {
		return t.refused(err)
	}
	t.ended = func() {
		if t.err != nil {
			g.fail(t.err)
		}
		g.exit()
		g.leave(m)
	}
	g.join(m)
	if t.stop != nil {
		t.watch = context.AfterFunc(t.ctx, t.expire)
	}
	err := ctxerr.From(ctx) // again: a Wait may have looked for members before m joined
	if err == nil {
		err = t.submit(o.view, overflow)
	}
	if err == nil || !t.state.CompareAndSwap(taskQueued, taskDropped) { // else its ctx ended, and it with that
		return nil
	}
	t.ended = nil // the caller does it
	err = t.reason(err)
	t.finish(err)
	g.exit()
	g.unlist(m)
	return err
}

// join enters m among those that expire sees to, so that m ends as soon as the group's ctx
// does, not when a worker comes to it.
func (g *Group) join(m *member) {
	m.place.Value = m
	g.mu.Lock()
	g.members.PushBack(&m.place)
	g.mu.Unlock()
}

// unlist ends that.
func (g *Group) unlist(m *member) {
	g.mu.Lock()
	g.members.Remove(&m.place)
	g.mu.Unlock()
}

// expire ends the members of the round of ctx, which has ended, that have not started. Those
// of the next may be there already, if another Wait has returned meanwhile.
func (g *Group) expire(ctx context.Context) {
	g.mu.Lock()
	all := slices.Collect(g.members.All())
	g.mu.Unlock()
	for _, m := range all {
		if m.parent == ctx { // m.ctx may end a moment later
			m.expire()
		}
	}
}

// enter takes one of the group's slots for t.
func (g *Group) enter(t *taskCore, overflow Overflow) error {
	if g.slots == nil {
		return nil
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if overflow == Reject {
		return ErrFull
	}
	away, err := g.p.c.desk.stepAside()
	if err != nil {
		return err
	}
	defer away.back()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-t.ctx.Done():
		return t.ctxErr()
	}
}

// exit gives the slot back.
func (g *Group) exit() {
	if g.slots != nil {
		<-g.slots
	}
}

// leave ends the count of m, or of one that was never a member, as running.
func (g *Group) leave(m *member) {
	g.mu.Lock()
	if m != nil {
		g.members.Remove(&m.place)
	}
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
	cancel := g.cancel
	g.mu.Unlock()
	if g.failFast {
		cancel(fmt.Errorf("workerpool: group failed: %w", err))
	}
}

// Wait waits until every task of the group has ended, those included for which a Go
// still waits. A task whose ctx ends before it has started ends with that. Wait returns
// the first error with FailFast, else all of them joined in the order in which they came,
// or nil. A panic of a task is a *PanicError among them, a Goexit is ErrGoexit. Called
// from a task of the same pool, the pool may run another worker meanwhile, or Wait returns
// ErrNested, without waiting, where Config.MaxNested tasks wait already. Further calls
// return the same until the group is used again, by Go, TryGo or Context.
func (g *Group) Wait() error {
	g.mu.Lock()
	var quiet chan struct{}
	ctx := g.ctx
	if g.running > 0 {
		if g.quiet == nil {
			g.quiet = make(chan struct{})
		}
		quiet = g.quiet
	}
	g.mu.Unlock()
	if quiet != nil {
		away, err := g.p.c.desk.stepAside()
		if err != nil {
			return err
		}
		select {
		case <-quiet:
		case <-ctx.Done():
			g.expire(ctx)
			<-quiet
		}
		away.back()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == 0 { // else a Go came meanwhile: its task keeps the ctx
		g.waited = true
		g.cancel(context.Canceled)
	}
	if g.failFast && len(g.errs) > 0 {
		return g.errs[0]
	}
	return errors.Join(g.errs...)
}
