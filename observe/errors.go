package observe

import "errors"

var (
	// ErrDuplicate says that the registry has a source of this kind and name.
	ErrDuplicate = errors.New("observe: name is taken")

	// ErrName says that a name or a kind is not usable: a name is valid UTF-8, not
	// empty, at most 200 bytes, without control characters, quotes and backslashes;
	// a kind is made of a-z, 0-9 and _.
	ErrName = errors.New("observe: bad name")

	// ErrSource says that a source is nil, or that what its Stats returns is not a
	// struct or cannot be told apart from other metrics.
	ErrSource = errors.New("observe: bad source")

	// ErrTimeout says that a source did not answer within [Registry.Timeout]. It is
	// not asked again before that call has returned.
	ErrTimeout = errors.New("observe: source does not answer")

	// ErrPanic says that the Stats or the Histograms method of a source panicked or
	// ended its goroutine.
	ErrPanic = errors.New("observe: source panicked")
)
