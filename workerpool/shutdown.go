package workerpool

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// refuse makes every later submission fail with ErrClosed. Blocked submitters fail
// too: their tasks were not accepted.
func (c *core[T]) refuse() {
	refused := c.desk.close()
	views := c.views.close()
	for _, s := range refused {
		s.done <- ErrClosed
	}
	for _, v := range views {
		v.refuse()
	}
	c.desk.kick()
}

func (c *core[T]) close() error { return c.shutdown(context.Background()) }

// shutdown refuses new tasks, runs the accepted ones, ends the workers and waits
// for all of it, or until ctx ends: then it drops what is queued and cancels what
// runs.
func (c *core[T]) shutdown(ctx context.Context) error {
	ctxerr.NotNil(ctx, "workerpool")
	inside := c.desk.crew.roll.inside()
	c.refuse()
	if inside {
		return ErrInside
	}
	sampling := !c.monitor.stop(ctx.Done())
	if err := c.waitQuiet(ctx, false); err != nil {
		return c.abandon(ctx, sampling)
	}
	c.desk.crew.stop()
	<-c.desk.crew.gone
	if sampling {
		return &ShutdownError{Name: c.cfg.Name, Monitor: true, Cause: ctxerr.From(ctx)}
	}
	return nil
}

// abandon ends a shutdown whose ctx has ended. It calls OnDrop last, because OnDrop may
// end the goroutine.
func (c *core[T]) abandon(ctx context.Context, sampling bool) error {
	c.alert.Or(alertExpired) // no task with a ctx that starts now goes on with it
	c.desk.expire()          // and none passes from a view into the pool
	cancels := c.desk.crew.roll.cancels()
	var all []DroppedTask
	drop := func(v T) {
		d := c.kind.report(v)
		d.Err = ErrClosed
		all = append(all, d)
		c.kind.drop(v, ErrClosed)
	}
	for _, v := range c.views.all() {
		for _, task := range v.takeAll() {
			drop(task)
			c.release()
		}
	}
	for i := range c.desk.q.levels {
		c.dropAll(&c.desk.q.levels[i], drop)
	}
	for _, cancel := range cancels {
		cancel(ErrClosed)
	}
	running := c.desk.crew.active()
	go func() { // ends with the last running task
		_ = c.waitQuiet(context.Background(), false)
		c.desk.crew.stop()
	}()
	c.checkQuiet()
	c.reports.allDropped(all)
	return &ShutdownError{Name: c.cfg.Name, Dropped: all, Running: running, Monitor: sampling, Cause: ctxerr.From(ctx)}
}

// drop ends v, which will not run, and reports it to OnDrop.
func (c *core[T]) drop(v T, err error) {
	d := DroppedTask{Err: err}
	if c.cfg.OnDrop != nil {
		d = c.kind.report(v)
		d.Err = err
	}
	c.kind.drop(v, err)
	c.reports.dropped(d)
}

// dropAll hands everything queued at l to drop.
func (c *core[T]) dropAll(l *level[T], drop func(T)) {
	for {
		c.desk.mu.Lock() // over both places: a value moves from one to the other under mu
		v, ok, empty := c.desk.q.evictAny(l)
		c.desk.mu.Unlock()
		switch {
		case ok:
			drop(v)
		case empty:
			return
		default:
			yield() // a task is between a ticket and its slot
		}
	}
}
