package objpool

import (
	"errors"

	"github.com/poundlock/poundlock/internal/panics"
)

// PanicError reports a panic of OnDiscard on the pool's own timer, where no caller
// could recover it. The pool contains it, counts it in Stats.Panics, and Close
// returns the first. Its text is one line; %+v adds the stack.
type PanicError = panics.Error

var (
	// ErrClosed is returned by operations on a pool that was closed.
	ErrClosed = errors.New("objpool: closed")

	// ErrDuplicate is returned by [Registry.Register] for a name that is taken.
	ErrDuplicate = errors.New("objpool: name already registered")

	// ErrNotFound is returned by [LookupPool] for a name that is not registered.
	ErrNotFound = errors.New("objpool: name not registered")
)

// Must returns p and panics if err is not nil. It is for pools made in
// package-level variables from a configuration that is known to be good:
//
//	var parsers = objpool.Must(objpool.New(objpool.Config[*Parser]{New: NewParser}))
func Must[P any](p P, err error) P {
	if err != nil {
		panic(err)
	}
	return p
}
