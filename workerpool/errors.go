package workerpool

import (
	"errors"
	"fmt"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/panics"
)

var (
	// ErrClosed is returned by operations on a pool after Close or Shutdown
	// began, and on the zero Pool, which was never open.
	ErrClosed = errors.New("workerpool: pool is closed")
	// ErrFull is returned when the queue is full and the call may not wait: it is
	// a Try, the policy is Reject, or Config.MaxWaiters wait already.
	ErrFull = errors.New("workerpool: queue is full")
	// ErrNilTask is returned for a nil function.
	ErrNilTask = errors.New("workerpool: task is nil")
	// ErrDropped is the result of a task that was dropped to make room.
	ErrDropped = errors.New("workerpool: task was dropped to make room")
	// ErrTimeout is matched by ErrQueueTimeout and ErrRunTimeout, and matches
	// context.DeadlineExceeded as they do.
	ErrTimeout = ctxerr.Timeout("workerpool: task timed out")
	// ErrQueueTimeout is the result of a task whose Timeout passed before it
	// started: it did not run.
	ErrQueueTimeout = ctxerr.Timeout("workerpool: task timed out in the queue", ErrTimeout)
	// ErrRunTimeout is the cause of the end of a running task's ctx when its
	// Timeout has passed.
	ErrRunTimeout = ctxerr.Timeout("workerpool: task timed out while it ran", ErrTimeout)
	// ErrGoexit is the result of a task that called runtime.Goexit.
	ErrGoexit = errors.New("workerpool: task called runtime.Goexit")
	// ErrInside is returned by Close, Shutdown, Wait and Pause called from a task
	// of the same pool, where they would wait for their own end.
	ErrInside = errors.New("workerpool: called from a task of the same pool")
	// ErrNested is returned by calls that would wait for the pool from one of its
	// own tasks while Config.MaxNested tasks do so already.
	ErrNested = errors.New("workerpool: too many tasks wait for their own pool")
)

// PanicError is a panic of a task or of a function of Config, with the stack of the
// goroutine at the time.
type PanicError = panics.Error

// DroppedTask is a task that was accepted and will not run.
type DroppedTask struct {
	Label string // the task's label; without one the function's name for Submit and Invoke
	Func  func() // what was given to Submit; nil for tasks with a ctx and for those of a FuncPool
	Arg   any    // what was given to Invoke; nil for tasks of a Pool
	Err   error  // why: ErrDropped to make room, ErrClosed by an expired Shutdown
}

// ShutdownError says what Shutdown left undone when its ctx ended.
type ShutdownError struct {
	Name    string        // Config.Name
	Dropped []DroppedTask // queued tasks that will never run
	Running int           // tasks still running; those with a ctx have had it cancelled
	Monitor bool          // a function of Config.Monitor is still running
	Cause   error         // why ctx ended
}

func (e *ShutdownError) Error() string {
	name, monitor := "", ""
	if e.Name != "" {
		name = fmt.Sprintf("%q: ", e.Name)
	}
	if e.Monitor {
		monitor = ", a function of its Monitor too"
	}
	return fmt.Sprintf("workerpool: %sshutdown ended early with %d queued tasks dropped and %d still running%s: %v",
		name, len(e.Dropped), e.Running, monitor, e.Cause)
}

// Unwrap returns the cause of the ctx's end.
func (e *ShutdownError) Unwrap() error { return e.Cause }
