package batchchan

import (
	"errors"
	"fmt"
	"time"
)

// An error that the processor returned is a value of the user's, and so are its
// methods: errors.As calls As and Unwrap, a text calls Error, and any of them may panic
// or end its goroutine. So a worker looks into an error only here, apart from itself,
// and puts no text of it together: that is for whoever reads it. An error whose methods
// do not return is an error like any other, and counted in Stats.Panics.

// asError is errors.As for such an error.
func asError[E error, T any](x *executor[T], err error) (e E, ok bool) {
	if e, ok = err.(E); ok { //nolint:errorlint // without a call of its methods
		return e, true
	}
	switch err.(type) { //nolint:errorlint // as above
	case interface{ As(any) bool }, interface{ Unwrap() error }, interface{ Unwrap() []error }:
		x.apart(func() {
			var found E
			if errors.As(err, &found) {
				e, ok = found, true
			}
		})
	}
	return e, ok
}

// asked returns the longest time that one of the errors asks to wait for.
func (x *executor[T]) asked(err error, more []error) (d time.Duration) {
	x.apart(func() {
		d = asksFor(err)
		for _, err := range more {
			d = max(d, asksFor(err))
		}
	})
	return d
}

// itemErrors returns what err says about the items of a batch of n. whole is not
// nil if it makes no sense.
func (x *executor[T]) itemErrors(err error, n int) (failed []itemError, whole error, ok bool) {
	e, ok := asError[*ItemErrors](x, err)
	if !ok {
		return nil, nil, false
	}
	failed = e.sort()
	if len(failed) == 0 {
		return nil, nil, true
	}
	for _, i := range []int{failed[0].index, failed[len(failed)-1].index} {
		if i < 0 || i >= n {
			return nil, &indexError{i, n, err}, true
		}
	}
	return failed, nil, true
}

// indexError is why a batch failed of which an ItemErrors named an item that is not
// in it.
type indexError struct {
	index, of int
	err       error
}

func (e *indexError) Error() string {
	return fmt.Sprintf("batchchan: the processor returned an ItemErrors with index %d for a batch of %d: %v", e.index, e.of, e.err)
}

func (e *indexError) Unwrap() error { return e.err }

// stoppedError is why items of a key that was stopped failed.
type stoppedError struct{ cause error }

func (e *stoppedError) Error() string   { return fmt.Sprintf("%v: %v", ErrStopped, e.cause) }
func (e *stoppedError) Unwrap() []error { return []error{ErrStopped, e.cause} }
