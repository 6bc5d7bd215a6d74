package connpool

import (
	"errors"
	"fmt"
	"time"

	"github.com/poundlock/poundlock/internal/panics"
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

	// ErrInside is returned by Shutdown when its ctx is, or is derived from, a ctx that the
	// same pool gave to Dial, Check or Reset, or to the function given to Do. Shutdown would
	// wait for that function, and the function for Shutdown. A call without such a ctx
	// cannot be recognised and hangs: Close in one of these functions, and Close or
	// Shutdown in a hook, in Config.Close, or while the caller holds a connection.
	ErrInside = errors.New("connpool: called from inside a function of the same pool")

	errGoexit = errors.New("connpool: the function ended its goroutine (runtime.Goexit)")
)

// WaitError is what Acquire returns when its ctx ended first. Unwrap gives the
// ctx's error; the rest says what the pool was busy with at that moment.
type WaitError struct {
	Name    string        // the pool's: Config.Name
	Err     error         // why the ctx ended: errors.Is finds ctx.Err and context.Cause
	Waited  time.Duration // how long the caller had waited
	MaxOpen int           // the pool's limit
	Open    int           // slots in use: connections, dials and closes
	InUse   int           // connections on loan
	Dialing int           // dials under way
	Waiting int           // others that still wait
	Paused  bool          // whether the pool was paused
	Dial    error         // the error of the last dial, nil if it succeeded

	// For a Keyed with a MaxTotal: that, the slots of all keys in use, and which keys
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
	s := fmt.Sprintf("%sacquire: %v after %v (%d of %d open, %d in use, %d dialing, %d waiting",
		prefix(e.Name), e.Err, e.Waited, e.Open, e.MaxOpen, e.InUse, e.Dialing, e.Waiting)
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

// Unwrap returns why the ctx ended.
func (e *WaitError) Unwrap() error { return e.Err }

// ShutdownError is what Shutdown returns when its ctx ended first. Unwrap gives why
// it did; the rest says what was left at that moment.
type ShutdownError struct {
	Name    string // the pool's: Config.Name
	Err     error  // why the ctx ended: errors.Is finds ctx.Err and context.Cause
	InUse   int    // connections on loan
	Busy    int    // connections in Check or Reset
	Closing int    // connections in Close
	Dialing int    // dials under way
}

// Error says what was left.
func (e *ShutdownError) Error() string {
	return fmt.Sprintf("%sshutdown: %v with %d connections on loan, %d in check or reset, %d closing, %d dials",
		prefix(e.Name), e.Err, e.InUse, e.Busy, e.Closing, e.Dialing)
}

// Unwrap returns why the ctx ended.
func (e *ShutdownError) Unwrap() error { return e.Err }

// PanicError is the error of a function of Config that panicked. Its Func is the
// field's name. Its text is one line; %+v adds the stack.
type PanicError = panics.Error

// prefix begins the errors of a pool with the given name.
func prefix(name string) string {
	if name == "" {
		return "connpool: "
	}
	return fmt.Sprintf("connpool: %q: ", name)
}

// breakerError is ErrBreakerOpen with the error of the last dial.
type breakerError struct{ dial error }

func (e *breakerError) Error() string {
	return ErrBreakerOpen.Error() + ": last dial: " + e.dial.Error()
}
func (e *breakerError) Unwrap() []error { return []error{ErrBreakerOpen, e.dial} }

// failedError is the error of a function of Config, with what it was called for. An error
// is a value of the user's and its Error a function like any other, so the text is put
// together by whoever reads it, and not under the pool's lock.
type failedError struct {
	name string // the pool's
	what string
	err  error
}

func (e *failedError) Error() string { return prefix(e.name) + e.what + ": " + e.err.Error() }
func (e *failedError) Unwrap() error { return e.err }

// dialError is what the Acquire gets whose dial failed. name is the pool's.
func dialError(name string, err error) error { return &failedError{name, "dial", err} }
