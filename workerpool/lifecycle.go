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
	if !w.pause && (c.held.Load() > 0 || !c.desk.q.empty()) {
		return false
	}
	return c.desk.crew.active() == 0
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
	c.desk.mu.Lock()
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
	c.desk.mu.Unlock()
}

// waitQuiet waits until the pool is quiet or ctx ends.
func (c *core[T]) waitQuiet(ctx context.Context, pause bool) error {
	w := &quietWaiter{done: make(chan struct{}), pause: pause}
	c.desk.mu.Lock()
	c.quiets = append(c.quiets, w)
	c.alert.Or(alertQuiet)
	c.desk.mu.Unlock()
	c.checkQuiet() // a worker that became idle before it could see alertQuiet has not checked
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	c.desk.mu.Lock()
	defer c.desk.mu.Unlock()
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
	if c.desk.crew.roll.inside() {
		return ErrInside
	}
	return c.waitQuiet(ctx, false)
}

func (c *core[T]) pause(ctx context.Context) error {
	ctxerr.NotNil(ctx, "workerpool")
	if c.desk.crew.roll.inside() {
		return ErrInside
	}
	c.desk.mu.Lock()
	if c.desk.closed {
		c.desk.mu.Unlock()
		return ErrClosed
	}
	c.desk.pause(true)
	c.desk.mu.Unlock()
	if err := ctxerr.From(ctx); err != nil {
		return err
	}
	return c.waitQuiet(ctx, true)
}

func (c *core[T]) resume() {
	c.desk.mu.Lock()
	if c.desk.q.held && !c.desk.closed {
		c.desk.pause(false)
	}
	c.desk.mu.Unlock()
	c.desk.kick()
}

func (c *core[T]) resize(minWorkers, maxWorkers int) error {
	if err := checkWorkers(minWorkers, maxWorkers); err != nil {
		return err
	}
	c.desk.mu.Lock()
	if c.desk.closed {
		c.desk.mu.Unlock()
		return ErrClosed
	}
	c.desk.crew.resize(minWorkers, maxWorkers)
	c.desk.mu.Unlock()
	c.desk.crew.settle(minWorkers)
	c.desk.kick()
	return nil
}
