package workerpool

import (
	"context"
)

// View is a pool within a pool: it shares the workers and has a cap of its own on
// how many of its tasks run, so that one kind of work cannot take the whole pool.
// Tasks above the cap wait in the view's own queue, which has the room of the
// pool's (Config.QueueSize; that of NoQueue is 0) and its Overflow policy, except
// that CallerRuns waits like Block where running the task at once would break the
// cap. Make one with [Pool.Limit]; the zero View is closed. A View needs no closing: it
// ends with its pool.
//
// A task of the view that waits for the pool (see the package's documentation on
// nesting) lends its place to another of the view meanwhile. Where that one still
// runs when the wait is over, one task more than the cap runs until it ends.
//
// All methods are safe for concurrent use. Tasks of a view reach the pool in the
// order of their submission.
type View struct{ g *gate[job] }

// Limit returns a view of p that runs at most n tasks at a time; n below 1 counts
// as 1.
func (p *Pool) Limit(n int) *View {
	if p == nil || p.c == nil {
		return &View{newGate[job](nil, n)}
	}
	g := newGate(p.c, n)
	g.mark = func(j job) job { return &viewJob{g, j} }
	g.level = func(j job) *level[job] {
		if t, ok := j.(*taskCore); ok {
			return t.level
		}
		return &p.c.desk.q.levels[0]
	}
	return &View{g}
}

// Submit is [Pool.Submit] within the view's cap.
func (v *View) Submit(f func()) error { return v.submitPlain(context.Background(), f, -1) }

// TrySubmit is [Pool.TrySubmit] within the view's cap.
func (v *View) TrySubmit(f func()) error { return v.submitPlain(context.Background(), f, Reject) }

// SubmitContext is [Pool.SubmitContext] within the view's cap.
func (v *View) SubmitContext(ctx context.Context, f func()) error {
	if err := ctxEnd(ctx); err != nil {
		return err
	}
	return v.submitPlain(ctx, f, Block)
}

func (v *View) submitPlain(ctx context.Context, f func(), overflow Overflow) error {
	if f == nil {
		return ErrNilTask
	}
	if v.closed() {
		return ErrClosed
	}
	if overflow < 0 {
		overflow = v.g.c.cfg.Overflow
	}
	return v.g.submit(ctx, plain(f), overflow)
}

// Do is [Pool.Do] within the view's cap.
func (v *View) Do(ctx context.Context, t Task) error {
	if v.closed() {
		return ErrClosed
	}
	tc := new(taskCore)
	if err := tc.init(ctx, v.g.c, t); err != nil {
		return err
	}
	return tc.do(v)
}

// Resize changes the cap; n below 1 counts as 1. Queued tasks for which there are
// places now go to the pool at once. Where the cap is lowered, running tasks above
// it go on, and none follows them. It returns ErrClosed after Close.
func (v *View) Resize(n int) error {
	if v.closed() {
		return ErrClosed
	}
	return v.g.resize(n)
}

// Close refuses further submissions to the view and those that wait for room in its
// queue, and waits until its accepted tasks have ended. The pool goes on. From a
// task of the view it returns ErrInside without waiting, and from another task of
// the pool the pool may run one more worker meanwhile. It may be called again.
func (v *View) Close() error {
	if v.closed() {
		return nil
	}
	return v.g.close()
}

// Done returns a channel that is closed when the view or its pool has been closed
// and the view's last task has ended.
func (v *View) Done() <-chan struct{} {
	if v.closed() {
		return closedChan()
	}
	return v.g.ends()
}

// Stats returns what the view holds now.
func (v *View) Stats() ViewStats {
	if v == nil || v.g == nil {
		return ViewStats{}
	}
	return v.g.stats()
}

// closed reports whether v is a view of nothing.
func (v *View) closed() bool { return v == nil || v.g == nil || v.g.c == nil }

// closedChan returns a channel that is closed.
func closedChan() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// viewJob is a view's task in the pool. When it ends, the view's next takes its
// place.
type viewJob struct {
	g *gate[job]
	j job
}

func (vj *viewJob) run(w *worker[job]) {
	w.gate = vj.g
	defer func() { // after a panic and a Goexit too
		w.gate = nil
		vj.g.taskEnded()
	}()
	vj.j.run(w)
}

func (vj *viewJob) drop(err error) {
	vj.j.drop(err)
	vj.g.pass()
}

func (vj *viewJob) report() DroppedTask  { return vj.j.report() }
func (vj *viewJob) over() (ending, bool) { return vj.j.over() }

func (vj *viewJob) bury() {
	vj.j.bury()
	vj.g.taskEnded()
}
