package connpool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// The errors of this package; match them with errors.Is.
var (
	// ErrClosed is returned by every operation on a pool that is closed or closing.
	ErrClosed = errors.New("connpool: pool is closed")
	// ErrFull is returned by Acquire when MaxWaiters others wait already.
	ErrFull = errors.New("connpool: too many waiters")
	// ErrNotReady is returned by TryAcquire when no connection is idle.
	ErrNotReady = errors.New("connpool: no connection is ready")
	// ErrPaused is returned by TryAcquire while the pool is paused.
	ErrPaused = errors.New("connpool: pool is paused")
	// ErrBreakerOpen is returned by Acquire and Warm when the pool has no
	// connection and too many dials have failed in a row to try another now. It
	// comes wrapped together with the last dial's error.
	ErrBreakerOpen = errors.New("connpool: circuit breaker is open")
	// ErrBadConn, returned or wrapped by the function given to Do, says that the
	// connection is broken and must be closed.
	ErrBadConn = errors.New("connpool: bad connection")

	errGoexit = errors.New("connpool: the function ended its goroutine (runtime.Goexit)")
)

// WaitError is what Acquire returns when its ctx ended first. Unwrap gives the
// ctx's error; the rest says what the pool was busy with at that moment.
type WaitError struct {
	Err     error         // the ctx's error
	Waited  time.Duration // how long the caller had waited
	MaxOpen int           // the pool's limit
	Open    int           // slots in use: connections, dials and closes
	Dialing int           // dials under way
	Waiting int           // others that still wait
	Paused  bool          // whether the pool was paused
	Dial    error         // the error of the last dial, nil if it succeeded
}

// Error describes what the caller waited for.
func (e *WaitError) Error() string {
	s := fmt.Sprintf("connpool: acquire: %v after %v (%d of %d open, %d dialing, %d waiting",
		e.Err, e.Waited, e.Open, e.MaxOpen, e.Dialing, e.Waiting)
	if e.Paused {
		s += ", paused"
	}
	if e.Dial != nil {
		s += ", last dial: " + e.Dial.Error()
	}
	return s + ")"
}

// Unwrap returns the ctx's error.
func (e *WaitError) Unwrap() error { return e.Err }

// PanicError is the error of a user function that panicked.
type PanicError struct {
	Func  string // "Dial", "Close", "Check", "Reset"
	Value any    // what it panicked with
	Stack []byte // where
}

// Error describes the panic with its stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("connpool: %s panicked: %v\n\n%s", e.Func, e.Value, e.Stack)
}

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// breakerError is ErrBreakerOpen with the error of the last dial.
type breakerError struct{ dial error }

func (e *breakerError) Error() string {
	return ErrBreakerOpen.Error() + ": last dial: " + e.dial.Error()
}
func (e *breakerError) Unwrap() []error { return []error{ErrBreakerOpen, e.dial} }

// dialError is what the initiator of a failed dial gets.
func dialError(err error) error { return fmt.Errorf("connpool: dial: %w", err) }

// breaksConn is the default of Config.Bad. A transport error or a ctx that ended
// in the middle may leave half a message in the stream, so the connection cannot
// serve another; every net.Error has a Timeout method.
func breaksConn(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, context.Canceled) || errors.As(err, &timeout)
}
