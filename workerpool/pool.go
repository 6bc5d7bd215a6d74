package workerpool

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Pool runs tasks on goroutines that it starts and ends as needed, between
// Config.MinWorkers and Config.MaxWorkers. Make one with [New]; the zero Pool is
// closed. A Pool must not be copied.
//
// All methods are safe for concurrent use. What happens before a submission
// happens before the task runs; what a task does happens before the Wait or Close
// that waited for it returns. Tasks of one priority start in the order in which
// they were accepted; submitters that wait for room are served in order, though
// others that find room may pass them for a while, see Config.QueueSize.
//
// In a testing/synctest bubble use a Pool made inside it: one made outside has
// goroutines and channels that do not belong to the bubble, and a call from inside
// fails it.
//
// A nil ctx panics, here and in every method and function that takes one.
type Pool struct {
	_ nocopy.NoCopy
	c *core[job]
}

// job is what a Pool runs.
type job interface {
	run(w *worker[job])
	drop(err error)       // the job will not run
	report() DroppedTask  // for OnDrop
	over() (ending, bool) // the job would not run; safe under any lock
	bury()                // the job was over and has been taken out of its queue
}

// plain is a task without ctx or result. A func in an interface needs no
// allocation.
type plain func()

func (f plain) run(*worker[job])    { f() }
func (plain) drop(error)            {}
func (f plain) report() DroppedTask { return DroppedTask{Label: taskName(f), Func: f} }
func (plain) over() (ending, bool)  { return 0, false }
func (plain) bury()                 {}

// New starts a pool. It returns an error that names the field and the value if
// cfg is invalid.
func New(cfg Config) (*Pool, error) {
	run := func(w *worker[job], j job) { j.run(w) }
	p := new(Pool)
	if m := cfg.Monitor; m != nil && m.StallAfter > 0 {
		run = func(w *worker[job], j job) {
			w.begin(j, nil, p.c.clock.now())
			defer w.clearNow()
			j.run(w)
		}
	}
	c, err := newCore(cfg, kind[job]{run: run, drop: job.drop, report: job.report, over: job.over, bury: job.bury})
	if err != nil {
		return nil, err
	}
	p.c = c
	return p, nil
}

// Submit hands f to the pool. When it returns nil, f was accepted and will run
// exactly once, unless it is dropped by DropNewest, DropOldest or a Shutdown whose
// ctx ends. When the queue is full and no worker idle, Config.Overflow decides:
// Submit waits for room, returns ErrFull, runs f itself, or drops a task. Where
// Config.MaxWaiters wait already, it returns ErrFull instead of waiting, and ErrNested
// in a task of the pool where Config.MaxNested of them wait already.
//
// After Close it returns ErrClosed, also to submitters that wait; for a nil f
// ErrNilTask. A task may Submit to its own pool: while it waits for room, another
// worker takes its place. If f panics, Config.OnPanic is called; if f calls
// runtime.Goexit, only f ends.
func (p *Pool) Submit(f func()) error {
	if f == nil {
		return ErrNilTask
	}
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.submit(&p.c.desk.q.levels[0], plain(f))
}

// TrySubmit is Submit that never waits, runs or drops anything: it returns ErrFull
// when there is no room.
func (p *Pool) TrySubmit(f func()) error {
	if f == nil {
		return ErrNilTask
	}
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.trySubmit(&p.c.desk.q.levels[0], plain(f))
}

// SubmitContext is Submit that waits for room, whatever Config.Overflow says, until
// ctx ends; then it returns ctx.Err() and f will not run. If ctx has ended before,
// f is not accepted even where there is room. ctx does not bound f itself.
func (p *Pool) SubmitContext(ctx context.Context, f func()) error {
	if f == nil {
		return ErrNilTask
	}
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.submitWait(ctx, &p.c.desk.q.levels[0], plain(f))
}

// Blocking runs f. If the caller is one of the pool's own tasks, the pool may run
// one more worker above MaxWorkers meanwhile, so that a task that waits in f for
// other tasks cannot starve them. The pool's own waits (Submit, Do, Future.Wait,
// Group.Wait and so on) do this by themselves. f runs in the calling goroutine, also
// when the pool is closed. It does not run if Blocking returns an error: that f is
// nil, that ctx has ended before, or ErrNested. A ctx that ends while f runs changes
// nothing: that is f's to see.
func (p *Pool) Blocking(ctx context.Context, f func()) error {
	if p == nil {
		return (*core[job])(nil).blocking(ctx, f)
	}
	return p.c.blocking(ctx, f)
}

// Resize changes MinWorkers and MaxWorkers. Missing workers start at once; of
// surplus ones the idle end at once and the busy after their current task. It
// returns an error that names the field and the value if they are invalid, and
// ErrClosed after Close.
func (p *Pool) Resize(minWorkers, maxWorkers int) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.resize(minWorkers, maxWorkers)
}

// Pause stops workers from starting tasks and waits until none runs, or until ctx
// ends; the pool stays paused either way, until Resume or Close. A ctx that
// has ended before makes it pause without waiting, and return ctx.Err(). Submissions are
// accepted meanwhile as far as the queue has room. It returns ErrClosed after
// Close and ErrInside from a task of the pool.
func (p *Pool) Pause(ctx context.Context) error {
	if p == nil || p.c == nil {
		return ErrClosed
	}
	return p.c.pause(ctx)
}

// Resume ends a Pause. It does nothing to a pool that is not paused.
func (p *Pool) Resume() {
	if p != nil && p.c != nil {
		p.c.resume()
	}
}

// Wait waits until no task is queued or running, or until ctx ends; it returns
// ctx.Err() then. Tasks submitted meanwhile are waited for too, as long as the
// pool does not become quiet in between; a submitter that waits for room has not
// submitted yet, and a task that CallerRuns runs in its submitter is that one's to wait
// for. It returns ErrInside from a task of the pool.
func (p *Pool) Wait(ctx context.Context) error {
	if p == nil || p.c == nil {
		return nil
	}
	return p.c.wait(ctx)
}

// Close refuses new tasks, runs those accepted, waits until they and OnPanic have
// ended, and ends all goroutines of the pool. It resumes a paused pool. Further
// calls wait for the same and return nil too. From a task of the pool it refuses
// new tasks and returns ErrInside without waiting: call it again from outside. Tasks
// that CallerRuns runs in their submitters are the submitters' to wait for.
func (p *Pool) Close() error {
	if p == nil || p.c == nil {
		return nil
	}
	return p.c.close()
}

// Shutdown is Close that waits until ctx ends at most. Then it drops the tasks
// still queued (those of Do, Go and Group end with ErrClosed), cancels the ctx of
// those that run, and returns a *ShutdownError with the tasks that it dropped, those
// in the own queues of Views among them, the number of those that run, and whether a
// function of Config.Monitor does. Workers end when their tasks do; Done and a further
// Close tell when.
func (p *Pool) Shutdown(ctx context.Context) error {
	if p == nil || p.c == nil {
		return nil
	}
	return p.c.shutdown(ctx)
}

// Done returns a channel that is closed when the pool has been closed, all its tasks
// have ended, and its workers with them.
func (p *Pool) Done() <-chan struct{} {
	if p == nil || p.c == nil {
		return closedChan()
	}
	return p.c.desk.crew.gone
}

// Stats returns the pool's counters and gauges. It may be called at any time,
// and after Close; it delays no submission and no worker for more than the few
// instructions of a lock off the common path. The zero Pool has zero Stats.
func (p *Pool) Stats() Stats {
	if p == nil || p.c == nil {
		return Stats{}
	}
	return p.c.stats()
}

// ctxEnd returns why ctx ended, or nil; a nil ctx panics.
func ctxEnd(ctx context.Context) error {
	ctxerr.NotNil(ctx, "workerpool")
	return ctxerr.From(ctx)
}
