package workerpool

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// release ends the count of a view's task in views.held, once it is in the queue or
// dropped.
func (c *core[T]) release() {
	if c.views.held.Add(-1) == 0 {
		c.lookQuiet()
	}
}

// lookQuiet calls checkQuiet if somebody waits.
func (c *core[T]) lookQuiet() {
	if c.quiets.some.Load() {
		c.checkQuiet()
	}
}

// checkQuiet ends the waits for quiet that are over. It reads the queue first: a worker is
// active before it takes a task, so a task that has just left the queue is seen as an
// active worker.
func (c *core[T]) checkQuiet() {
	c.desk.mu.Lock()
	empty := c.views.held.Load() == 0 && c.desk.q.empty()
	c.quiets.tell(empty, c.desk.crew.active() == 0)
	c.desk.mu.Unlock()
}

// waitQuiet waits until the pool is quiet or ctx ends.
func (c *core[T]) waitQuiet(ctx context.Context, pause bool) error {
	c.desk.mu.Lock()
	w := c.quiets.join(pause)
	c.desk.mu.Unlock()
	c.checkQuiet() // a worker that became idle before it could see w has not checked
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	c.desk.mu.Lock()
	defer c.desk.mu.Unlock()
	if !c.quiets.leave(w) {
		return nil // became quiet at the same moment
	}
	return ctxerr.From(ctx)
}

// blocking runs f, in a task of the pool while that steps aside. A nil core has no tasks.
func (c *core[T]) blocking(ctx context.Context, f func()) error {
	if f == nil {
		return ErrNilTask
	}
	if err := ctxEnd(ctx); err != nil {
		return err
	}
	if c != nil {
		away, err := c.desk.stepAside()
		if err != nil {
			return err
		}
		defer away.back()
	}
	f()
	return nil
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
