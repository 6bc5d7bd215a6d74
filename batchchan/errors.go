package batchchan

import (
	"context"
	"errors"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/panics"
)

// Errors that operations return, to be matched with [errors.Is]. They do not name the
// instance: the caller knows it.
var (
	// ErrClosed is returned for what is sent after Close or Shutdown began (and
	// to a sender that waited for room then), and by receivers once everything
	// accepted was received.
	ErrClosed = errors.New("batchchan: closed")

	// ErrFull is returned when there is no room and the operation or the overflow
	// policy forbids waiting, or Config.MaxWaiters wait already.
	ErrFull = errors.New("batchchan: full")

	// ErrEmpty is returned by a receive that must not wait and finds nothing.
	ErrEmpty = errors.New("batchchan: empty")

	// ErrTimeout is returned when the time given to a Timeout operation passed. It
	// matches context.DeadlineExceeded.
	ErrTimeout = ctxerr.Timeout("batchchan: timeout")

	// ErrTooLarge is returned for an item whose size alone exceeds MaxBytes or
	// MaxPendingBytes: it could never be delivered within the caps.
	ErrTooLarge = errors.New("batchchan: item larger than the byte limit")

	// ErrDropped is what [Caller.Do] returns when the overflow policy dropped
	// its request.
	ErrDropped = errors.New("batchchan: dropped by the overflow policy")

	// ErrInside is returned by Flush, Shutdown and [Caller.Do] when they are called
	// from within the processor, or OnError, that they would have to wait for. That
	// is recognised by the context that the function was given, or one made from
	// it; a call with another context is not recognised and waits for itself.
	ErrInside = errors.New("batchchan: called from within the processor, would wait for itself")

	// ErrBadKey is returned by [Keyed] and a merging [Caller] for an item whose key
	// cannot be found again: one that is not equal to itself (a NaN), or that holds
	// a value that cannot be compared.
	ErrBadKey = errors.New("batchchan: key cannot be used")

	// ErrStopped is returned by [Keyed] for an item whose key was stopped by a
	// failure, see KeyedConfig.StopOnError.
	ErrStopped = errors.New("batchchan: key stopped by a failure")

	// ErrGoexit is the error of a batch whose processor called runtime.Goexit
	// (as t.FailNow does) instead of returning.
	ErrGoexit = errors.New("batchchan: processor called runtime.Goexit")

	errNoProcessor = errors.New("batchchan: the processor function is nil")
)

// PanicError is the error of a batch whose processor panicked. It goes where
// the batch's error goes: to OnError, and to every caller of [Caller.Do] that
// was in the batch. Its text is one line; %+v adds the stack.
type PanicError = panics.Error

// Must returns v, and panics if err is not nil: for instances whose configuration is
// known to be right.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// notNil panics if ctx is nil. It is a function of this package because the generic
// code of this package is compiled where it is used: there a small function of another
// package is inlined only if this one inlines it, too, in code that is not generic
// (BenchmarkSend: a call less for each item).
func notNil(ctx context.Context) { ctxerr.NotNil(ctx, "batchchan") }
