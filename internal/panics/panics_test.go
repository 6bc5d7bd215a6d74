package panics

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheText(t *testing.T) {
	for _, c := range []struct {
		err  Error
		want string
	}{
		{Error{Package: "workerpool", Func: "task", Value: "boom"}, "workerpool: task panicked: boom"},
		{Error{Package: "workerpool", Name: "orders", Func: "task", Label: "mail", Value: 7}, `workerpool: "orders": task "mail" panicked: 7`},
		{Error{Package: "connpool", Func: "Dial", Value: io.EOF}, "connpool: Dial panicked: EOF"},
		{Error{Package: "connpool", Func: "Dial", Value: bad{}}, "connpool: Dial panicked: %!v(PANIC=String method: worse)"},
	} {
		c.err.Stack = []byte("goroutine 1 [running]:")
		require.Equal(t, c.want, c.err.Error())
		require.Equal(t, c.want, fmt.Sprint(&c.err), "%%v is one line")
		require.Equal(t, c.want, fmt.Sprintf("%s", &c.err)) //nolint:gosimple // the verb is the subject
		require.Equal(t, fmt.Sprintf("%q", c.want), fmt.Sprintf("%q", &c.err))
		require.Equal(t, c.want+"\n\ngoroutine 1 [running]:", fmt.Sprintf("%+v", &c.err))
	}
}

type bad struct{}

func (bad) String() string { panic("worse") }

func TestUnwrap(t *testing.T) {
	require.ErrorIs(t, &Error{Value: fmt.Errorf("read: %w", io.EOF)}, io.EOF)
	require.NoError(t, errors.Unwrap(&Error{Value: "EOF"}))
	require.NoError(t, errors.Unwrap(&Error{}))
}
