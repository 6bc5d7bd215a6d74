package jetstream

import (
	"errors"
	"fmt"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/panics"
)

var (
	// ErrClosed is returned by a Publisher after Close or Shutdown began.
	ErrClosed = errors.New("jetstream: closed")
	// ErrFull is returned by TrySend when there is no room.
	ErrFull = errors.New("jetstream: full")
	// ErrTooLarge is returned for a message that the server or the stream refuses for
	// its size, or that is larger than Publisher's MaxPendingBytes.
	ErrTooLarge = errors.New("jetstream: message too large")
	// ErrTimeout is the cause of the end of a handler's ctx when TaskTimeout has
	// passed. It matches context.DeadlineExceeded.
	ErrTimeout = ctxerr.Timeout("jetstream: handler timed out")
	// ErrTerminal marks an error that another delivery would not mend: a handler
	// that returns an error that wraps it has the message given up at once.
	ErrTerminal = errors.New("jetstream: terminal")
	// ErrLost is the cause of the end of a handler's ctx when the server has not
	// heard of the message for AckWait: others may have it.
	ErrLost = errors.New("jetstream: message is lost to others")
	// ErrGoexit is the error of a handler that called runtime.Goexit.
	ErrGoexit = errors.New("jetstream: handler called runtime.Goexit")
	// ErrInside is returned by Close and Shutdown when they are called by a function of
	// Config, a handler or OnError for instance, which they would wait for. The end has
	// begun then. A Publisher's OnError gets it from Publish and Flush, too. The caller
	// is recognised by its goroutine, that of a HandleBatch or of a Publisher's OnError
	// also by the ctx that it was given; a goroutine that it has started and waits for
	// is not.
	ErrInside = errors.New("jetstream: called from within, would wait for itself")
)

// PanicError is a panic of a function of Config, with the stack of the goroutine at
// the time.
type PanicError = panics.Error

// ShutdownError says what Shutdown left undone when its ctx ended.
type ShutdownError struct {
	Name      string // Config.Name
	Messages  int    // of a Publisher: not acknowledged, and handed back or answered with an error
	Running   int    // of a Worker: messages whose handlers still run; AckWait gives them to others
	Unacked   int    // of a Worker: handled, but the server may not have the acknowledgement
	Cause     error  // why ctx ended
	publisher bool
}

func (e *ShutdownError) Error() string {
	name := ""
	if e.Name != "" {
		name = fmt.Sprintf("%q: ", e.Name)
	}
	if e.publisher {
		return fmt.Sprintf("jetstream: %sshutdown ended early with %d messages not acknowledged: %v", name, e.Messages, e.Cause)
	}
	return fmt.Sprintf("jetstream: %sshutdown ended early with %d messages still running and %d acknowledgements unconfirmed: %v", name, e.Running, e.Unacked, e.Cause)
}

// Unwrap returns the cause of the ctx's end.
func (e *ShutdownError) Unwrap() error { return e.Cause }

// Must returns v, or panics with err if it is not nil.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
