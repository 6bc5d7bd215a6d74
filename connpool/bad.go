package connpool

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// breaksConn is the default of Config.Bad. A transport error or a ctx that ended
// in the middle may leave half a message in the stream, so the connection cannot
// serve another call. An error of a file says nothing about the connection.
func breaksConn(err error) bool {
	for _, broken := range []error{
		ErrBadConn, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return isNetError(err)
}

// isNetError reports whether err is or wraps a net.Error that is not about a file. It
// asks for the methods of a net.Error, so that this package need not import net.
func isNetError(err error) bool {
	switch e := err.(type) {
	case *fs.PathError, *os.LinkError:
		return false
	case syscall.Errno: // every number has the methods of a net.Error
		return brokenBy(e)
	case interface {
		Timeout() bool
		Temporary() bool
	}:
		return true
	case interface{ Unwrap() error }:
		return isNetError(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), isNetError)
	}
	return false
}

func brokenBy(e syscall.Errno) bool {
	switch e {
	case syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.ENOTCONN, syscall.EPIPE,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ENETRESET:
		return true
	}
	return false
}
