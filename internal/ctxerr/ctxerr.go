// Package ctxerr has what a context's end becomes in every package of poundlock:
// the error of an operation that gave up, and the error of a limit of its own.
package ctxerr

import (
	"context"
	"errors"
)

// From returns why ctx ended, or nil while it has not. [errors.Is] finds both
// ctx.Err() and [context.Cause] in it; where they are the same it is ctx.Err()
// itself, without an allocation.
func From(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	switch {
	case cause == err:
		return err
	case errors.Is(cause, err):
		return cause
	}
	return &ended{err, cause}
}

// ended is the end of a ctx that has a cause of its own.
type ended struct{ err, cause error }

func (e *ended) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *ended) Unwrap() []error { return []error{e.err, e.cause} }

// NotNil panics in the name of a package if ctx is nil.
func NotNil(ctx context.Context, pkg string) {
	if ctx == nil {
		panicNil(pkg)
	}
}

//go:noinline
func panicNil(pkg string) { panic(pkg + ": nil Context") } // apart, so that NotNil is inlined

// Timeout returns an error for a package's own time limit. It matches
// [context.DeadlineExceeded] and says Timeout() true, as the errors of net do. It
// matches also as well: the package's error for all its time limits, for instance.
func Timeout(text string, also ...error) error { return &timeout{text, also} }

type timeout struct {
	text string
	also []error
}

func (e *timeout) Error() string        { return e.text }
func (e *timeout) Timeout() bool        { return true }
func (e *timeout) Unwrap() []error      { return e.also }
func (e *timeout) Is(target error) bool { return target == context.DeadlineExceeded } //nolint:errorlint // an Is method compares
