package connpool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestWhichErrorsBreakAConn(t *testing.T) {
	_, noFile := os.Open("/no/such/file")
	_, noHost := net.Dial("tcp", "127.0.0.1:1")
	require.Error(t, noHost)
	for _, err := range []error{
		connpool.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
		context.Canceled, context.DeadlineExceeded, noHost, syscall.ECONNRESET, syscall.EPIPE,
		os.NewSyscallError("read", syscall.ECONNRESET),
		&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ENOBUFS)},
		&url.Error{Op: "Get", Err: io.EOF},
	} {
		require.True(t, connpool.BreaksConn(err), "%v", err)
		require.True(t, connpool.BreaksConn(fmt.Errorf("query: %w", err)), "%v", err)
		require.True(t, connpool.BreaksConn(errors.Join(errDown, fmt.Errorf("query: %w", err))), "%v", err)
	}
	for _, err := range []error{
		nil, errDown, noFile, os.ErrNotExist, syscall.ENOENT, os.NewSyscallError("stat", syscall.ENOENT),
		&os.PathError{Op: "read", Path: "f", Err: os.ErrDeadlineExceeded},
		&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EXDEV},
		errors.Join(errDown, noFile),
	} {
		require.False(t, connpool.BreaksConn(err), "%v", err)
		require.False(t, connpool.BreaksConn(fmt.Errorf("query: %w", err)), "%v", err)
	}
}
