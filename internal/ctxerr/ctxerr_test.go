package ctxerr

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFrom(t *testing.T) {
	require.NoError(t, From(t.Context()))

	plain, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, From(plain), "ctx.Err() itself")
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = From(plain) }))

	why := errors.New("the client has left")
	caused, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(why)
	err := From(caused)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "context canceled: the client has left")

	late, cancelLate := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), why)
	defer cancelLate()
	err = From(late)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)

	both := fmt.Errorf("shut down: %w", context.Canceled)
	wraps, cancelWraps := context.WithCancelCause(t.Context())
	cancelWraps(both)
	require.Equal(t, both, From(wraps), "a cause that matches ctx.Err() stands alone")
}

func TestNotNil(t *testing.T) {
	NotNil(t.Context(), "locks")
	var none context.Context
	require.PanicsWithValue(t, "locks: nil Context", func() { NotNil(none, "locks") })
}

func TestTimeout(t *testing.T) {
	err := Timeout("connpool: no connection in time")
	require.EqualError(t, err, "connpool: no connection in time")
	wrapped := fmt.Errorf("get: %w", err)
	require.ErrorIs(t, wrapped, context.DeadlineExceeded)
	require.ErrorIs(t, wrapped, err)
	require.NotErrorIs(t, wrapped, context.Canceled)
	require.NotErrorIs(t, err, Timeout("connpool: no connection in time"), "each is one of its own")
	var timeout interface{ Timeout() bool }
	require.ErrorAs(t, wrapped, &timeout)
	require.True(t, timeout.Timeout())

	one := Timeout("connpool: no connection in time: the pool is full", err)
	require.ErrorIs(t, one, err)
	require.ErrorIs(t, one, context.DeadlineExceeded)
	require.NotErrorIs(t, err, one)
}
