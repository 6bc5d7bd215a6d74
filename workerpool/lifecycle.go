package workerpool

import (
	"context"
	"math"
	"slices"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// quietWaiter is one call that waits for the pool to have nothing active and,
// unless it is a Pause, nothing queued.
type quietWaiter struct {
	done  chan struct{}
	pause bool
}

// quiet reports whether w's condition holds. The queue is read first: a worker
// is active before it takes a task, so one that left the queue is seen there. The
// caller holds mu.
func (c *core[T]) quiet(w *quietWaiter) bool {
	if !w.pause && (c.held.Load() > 0 || !c.q.empty()) {
		return false
	}
	return c.crew.active() == 0
}

// release ends the count of a view's task in held, once it is in the queue or
// dropped.
func (c *core[T]) release() {
	if c.held.Add(-1) == 0 && c.alert.Load()&alertQuiet != 0 {
		c.checkQuiet()
	}
}

// checkQuiet wakes those whose condition holds now.
func (c *core[T]) checkQuiet() {
	c.mu.Lock()
	c.quiets = slices.DeleteFunc(c.quiets, func(w *quietWaiter) bool {
		if !c.quiet(w) {
			return false
		}
		close(w.done)
		return true
	})
	if len(c.quiets) == 0 {
		c.alert.And(math.MaxUint32 &^ alertQuiet)
	}
	c.mu.Unlock()
}

// waitQuiet waits until the pool is quiet or ctx ends.
func (c *core[T]) waitQuiet(ctx context.Context, pause bool) error {
	w := &quietWaiter{done: make(chan struct{}), pause: pause}
	c.mu.Lock()
	c.quiets = append(c.quiets, w)
	c.alert.Or(alertQuiet)
	c.mu.Unlock()
	c.checkQuiet() // a worker that became idle before it could see alertQuiet has not checked
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.quiets, w)
	if i < 0 {
		return nil // became quiet at the same moment
	}
	c.quiets = slices.Delete(c.quiets, i, i+1)
	if len(c.quiets) == 0 {
		c.alert.And(math.MaxUint32 &^ alertQuiet)
	}
	return ctxerr.From(ctx)
}

func (c *core[T]) wait(ctx context.Context) error {
	if err := ctxEnd(ctx); err != nil {
		return err
	}
	if c.crew.roll.inside() {
		return ErrInside
	}
	return c.waitQuiet(ctx, false)
}

func (c *core[T]) pause(ctx context.Context) error {
	ctxerr.NotNil(ctx, "workerpool")
	if c.crew.roll.inside() {
		return ErrInside
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.setPaused(true)
	c.mu.Unlock()
	if err := ctxerr.From(ctx); err != nil {
		return err
	}
	return c.waitQuiet(ctx, true)
}

func (c *core[T]) resume() {
	c.mu.Lock()
	if c.q.held && !c.closed {
		c.setPaused(false)
	}
	c.mu.Unlock()
	c.kick()
}

// setPaused holds or releases every queue. The caller holds mu.
func (c *core[T]) setPaused(on bool) {
	c.q.hold(on)
	c.crew.pause(on)
}

// kick looks for work that may be started now but was not when it came.
func (c *core[T]) kick() {
	if c.direct {
		c.matchBlocked()
	} else if c.q.ready() {
		c.notify()
	}
}

func (c *core[T]) resize(minWorkers, maxWorkers int) error {
	if err := checkWorkers(minWorkers, maxWorkers); err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.crew.resize(minWorkers, maxWorkers)
	c.mu.Unlock()
	c.crew.settle(minWorkers)
	c.kick()
	return nil
}
