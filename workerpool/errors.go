package workerpool

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by operations on a pool after Close or Shutdown
	// began, and on the zero Pool, which was never open.
	ErrClosed = errors.New("workerpool: pool is closed")
	// ErrFull is returned when the queue is full and the call may not wait.
	ErrFull = errors.New("workerpool: queue is full")
	// ErrNilTask is returned for a nil function.
	ErrNilTask = errors.New("workerpool: task is nil")
	// ErrDiscarded is the result of a task that DiscardOldest dropped to make room.
	ErrDiscarded = errors.New("workerpool: task was discarded to make room")
	// ErrTimeout is the result of a task whose Timeout passed before it started.
	// It matches context.DeadlineExceeded too.
	ErrTimeout error = timeoutError{}
	// ErrGoexit is the result of a task that called runtime.Goexit.
	ErrGoexit = errors.New("workerpool: task called runtime.Goexit")
	// ErrInTask is returned by Close, Shutdown, Wait and Pause called from a task
	// of the same pool, where they would wait for their own end.
	ErrInTask = errors.New("workerpool: called from a task of the same pool")
)

type timeoutError struct{}

func (timeoutError) Error() string     { return "workerpool: task timed out in the queue" }
func (timeoutError) Is(err error) bool { return err == context.DeadlineExceeded }

// PanicError is a panic of a task, with the stack of the goroutine at the time.
type PanicError struct {
	Value any    // what the task panicked with
	Stack []byte // the stack of the panic, as from runtime/debug.Stack
	Label string // the task's label, if it has one
	Pool  string // the pool's name
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("workerpool: task %spanicked: %v", label(e.Label), e.Value)
}

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ShutdownError says what Shutdown left undone when its ctx ended.
type ShutdownError struct {
	Discarded int   // queued tasks that will never run
	Running   int   // tasks still running; those with a ctx have had it cancelled
	Cause     error // why ctx ended
}

func (e *ShutdownError) Error() string {
	return fmt.Sprintf("workerpool: shutdown ended early with %d queued tasks discarded and %d still running: %v",
		e.Discarded, e.Running, e.Cause)
}

// Unwrap returns the cause of the ctx's end.
func (e *ShutdownError) Unwrap() error { return e.Cause }

func label(l string) string {
	if l == "" {
		return ""
	}
	return fmt.Sprintf("%q ", l)
}
