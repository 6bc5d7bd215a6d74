package connpool

import (
	"errors"
	"fmt"
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
	InUse   int           // connections on loan
	Dialing int           // dials under way
	Waiting int           // others that still wait
	Paused  bool          // whether the pool was paused
	Dial    error         // the error of the last dial, nil if it succeeded

	// Of a Keyed with a MaxTotal: that, the slots of all keys in use, and which keys
	// have most of them, at most five.
	MaxTotal, TotalOpen int
	Shares              []KeyShare
}

// KeyShare is the part of [KeyedConfig.MaxTotal] that one key has.
type KeyShare struct {
	Key  string // as fmt.Sprint prints it
	Open int    // its slots in use
}

// Error describes what the caller waited for.
func (e *WaitError) Error() string {
	s := fmt.Sprintf("connpool: acquire: %v after %v (%d of %d open, %d in use, %d dialing, %d waiting",
		e.Err, e.Waited, e.Open, e.MaxOpen, e.InUse, e.Dialing, e.Waiting)
	if e.MaxTotal > 0 {
		s += fmt.Sprintf(", %d of %d open in all keys", e.TotalOpen, e.MaxTotal)
		for i, k := range e.Shares {
			sep := ","
			if i == 0 {
				sep = ":"
			}
			s += fmt.Sprintf("%s %q %d", sep, k.Key, k.Open)
		}
	}
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
	Func  string // the field of Config: "Dial", "Bad", "Hooks.Closed"
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
